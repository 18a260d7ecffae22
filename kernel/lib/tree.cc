// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/tree.h"

namespace kernel {

TreeNode* TreeCore::leftmost(TreeNode* node) {
    while (node != nullptr && node->left_ != nullptr) {
        node = node->left_;
    }
    return node;
}

TreeNode* TreeCore::rightmost(TreeNode* node) {
    while (node != nullptr && node->right_ != nullptr) {
        node = node->right_;
    }
    return node;
}

TreeNode* TreeCore::next(TreeNode* node) {
    if (node->right_ != nullptr) {
        return leftmost(node->right_);
    }
    while (node->parent_ != nullptr && node->parent_->right_ == node) {
        node = node->parent_;
    }
    return node->parent_;
}

TreeNode* TreeCore::previous(TreeNode* node) {
    if (node->left_ != nullptr) {
        return rightmost(node->left_);
    }
    while (node->parent_ != nullptr && node->parent_->left_ == node) {
        node = node->parent_;
    }
    return node->parent_;
}

// The pointer that points to the node.
TreeNode*& TreeCore::slot_of(TreeNode& node) {
    if (node.parent_ == nullptr) {
        return root_;
    }
    return node.parent_->left_ == &node ? node.parent_->left_ : node.parent_->right_;
}

void TreeCore::refresh(TreeNode& node, Update update) {
    const std::uint32_t left = height(node.left_);
    const std::uint32_t right = height(node.right_);
    node.height_ = 1 + (left > right ? left : right);
    if (update != nullptr) {
        update(node);
    }
}

// Both rotations return the new top of the subtree.
TreeNode& TreeCore::rotate_left(TreeNode& top, Update update) {
    TreeNode& pivot = *top.right_;
    slot_of(top) = &pivot;
    pivot.parent_ = top.parent_;
    top.right_ = pivot.left_;
    if (top.right_ != nullptr) {
        top.right_->parent_ = &top;
    }
    pivot.left_ = &top;
    top.parent_ = &pivot;
    refresh(top, update);
    refresh(pivot, update);
    return pivot;
}

TreeNode& TreeCore::rotate_right(TreeNode& top, Update update) {
    TreeNode& pivot = *top.left_;
    slot_of(top) = &pivot;
    pivot.parent_ = top.parent_;
    top.left_ = pivot.right_;
    if (top.left_ != nullptr) {
        top.left_->parent_ = &top;
    }
    pivot.right_ = &top;
    top.parent_ = &pivot;
    refresh(top, update);
    refresh(pivot, update);
    return pivot;
}

TreeNode& TreeCore::balance(TreeNode& node, Update update) {
    const std::uint32_t left = height(node.left_);
    const std::uint32_t right = height(node.right_);
    if (left > right + 1) {
        if (height(node.left_->left_) < height(node.left_->right_)) {
            rotate_left(*node.left_, update);
        }
        return rotate_right(node, update);
    }
    if (right > left + 1) {
        if (height(node.right_->right_) < height(node.right_->left_)) {
            rotate_right(*node.right_, update);
        }
        return rotate_left(node, update);
    }
    refresh(node, update);
    return node;
}

void TreeCore::rebalance_path(TreeNode* node, Update update) {
    while (node != nullptr) {
        const std::uint32_t before = node->height_;
        TreeNode& top = balance(*node, update);
        // An unchanged height means that nothing above changes, except for augmented values.
        if (top.height_ == before && update == nullptr) {
            return;
        }
        node = top.parent_;
    }
}

void TreeCore::update_path(TreeNode* node, Update update) {
    for (; update != nullptr && node != nullptr; node = node->parent_) {
        update(*node);
    }
}

void TreeCore::link(TreeNode& node, TreeNode* parent, bool left, Update update) {
    node.parent_ = parent;
    node.left_ = nullptr;
    node.right_ = nullptr;
    if (parent == nullptr) {
        root_ = &node;
    } else {
        (left ? parent->left_ : parent->right_) = &node;
    }
    ++size_;
    refresh(node, update);
    rebalance_path(parent, update);
}

void TreeCore::unlink(TreeNode& node, Update update) {
    TreeNode* start = node.parent_;
    if (node.left_ != nullptr && node.right_ != nullptr) {
        // The successor, which has no left child, takes the node's place.
        TreeNode& successor = *leftmost(node.right_);
        start = successor.parent_ == &node ? &successor : successor.parent_;
        TreeNode* const orphan = successor.right_;
        slot_of(successor) = orphan;
        if (orphan != nullptr) {
            orphan->parent_ = successor.parent_;
        }
        slot_of(node) = &successor;
        successor.parent_ = node.parent_;
        successor.left_ = node.left_;
        successor.right_ = node.right_;
        successor.height_ = node.height_;
        successor.left_->parent_ = &successor;
        if (successor.right_ != nullptr) {
            successor.right_->parent_ = &successor;
        }
    } else {
        TreeNode* const child = node.left_ != nullptr ? node.left_ : node.right_;
        slot_of(node) = child;
        if (child != nullptr) {
            child->parent_ = node.parent_;
        }
    }
    node.parent_ = nullptr;
    node.left_ = nullptr;
    node.right_ = nullptr;
    node.height_ = 0;
    --size_;
    rebalance_path(start, update);
}

}  // namespace kernel
