// SPDX-License-Identifier: MIT OR Apache-2.0
// The smallest static program, for what starting one costs.
int main() {
    return 0;
}
