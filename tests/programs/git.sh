#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# git: ten thousand files, history, garbage collection, local clones, merges and a bisection.
# shellcheck disable=SC2016  # inner shells expand
. "$(dirname "$0")/support/steps.sh"
need git
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
git config --global user.name Tester
git config --global user.email tester@example.org
git config --global init.defaultBranch main
git config --global gc.auto 0

git init -q big
(cd big && mkdir -p $(seq -f 'd%g' 100) && for d in $(seq 100); do for f in $(seq 100); do echo "$d $f" >"d$d/f$f"; done; done)
step add_ten_thousand git -C big add .
step commit git -C big commit -qm first
step status_is_clean same '' git -C big status --porcelain
step a_change_is_seen sh -c 'echo more >>big/d50/f50 && test "$(git -C big status --porcelain)" = " M d50/f50"'
step second_commit git -C big commit -qam second
step log same 'second first' sh -c 'git -C big log --format=%s | xargs'
step collect git -C big gc -q
step check git -C big fsck --strict
step clone sh -c 'git clone -q big copy && test "$(git -C copy ls-files | wc -l)" = 10000 && git -C copy status --porcelain | wc -l | grep -qx 0'
step clone_without_links git clone -q --no-hardlinks file://"$PWD"/big other
step branch_and_merge sh -c 'cd copy && git checkout -qb side && echo s >side && git add side && git commit -qm side && git checkout -q main && echo m >main && git add main && git commit -qm main && git merge -q -m merged side && test -f side -a -f main'
step conflict sh -c 'cd copy && git checkout -qb one && echo 1 >c && git add c && git commit -qm 1 && git checkout -qb two HEAD~1 && echo 2 >c && git add c && git commit -qm 2 && ! git merge -q one && git merge --abort'
step rebase sh -c 'cd copy && git checkout -qb base main && git checkout -qb topic && echo t >topic && git add topic && git commit -qm topic && git checkout -q base && echo b >base && git add base && git commit -qm base && git checkout -q topic && git rebase -q base && test -f base -a -f topic && test "$(git log -1 --format=%s HEAD~1)" = base && git checkout -q main'
step push_and_fetch sh -c 'git init -q --bare bare && git -C copy push -q ../bare main && git -C other fetch -q ../bare main'
step diff_and_apply sh -c 'cd copy && echo changed >d1/f1 && git diff >../p && git checkout -q d1/f1 && git apply ../p && grep -qx changed d1/f1 && git checkout -q d1/f1'
step stash sh -c 'cd copy && echo changed >d2/f2 && git stash -q && test -z "$(git status --porcelain)" && git stash pop -q && grep -qx changed d2/f2 && git checkout -q d2/f2'
step blame same 'second' sh -c 'git -C big blame -s d50/f50 | tail -n 1 | cut -d" " -f1 | xargs git -C big log -1 --format=%s'
step bisect sh -c 'git init -q b && cd b && for i in $(seq 20); do echo $i >n && git add n && git commit -qm $i; done && git bisect start HEAD HEAD~19 >/dev/null && git bisect run sh -c "test \$(cat n) -lt 13" | grep -q "first bad commit" && test "$(git log -1 --format=%s refs/bisect/bad)" = 13'
step archive sh -c 'git -C big archive HEAD | tar t | grep -c /f | grep -qx 10000'
step worktree sh -c 'git -C big worktree add -q ../tree HEAD && test -f tree/d1/f1 && git -C big worktree remove ../tree'
finish
