#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Full-screen programs on pseudo-terminals: tmux with a shell, less and an editor inside, window sizes, detaching.
. "$(dirname "$0")/support/steps.sh"
need tmux less vi
export TERM=screen
mux() { tmux -S "$folder/mux" -f /dev/null "$@"; }
trap 'tmux -S "$folder/mux" kill-server 2>/dev/null; cd / && rm -rf "$folder"' EXIT
# screen_shows PANE TEXT: within ten seconds.
screen_shows() {
    for _ in $(seq 100); do
        mux capture-pane -p -t "$1" | grep -qF -- "$2" && return
        sleep 0.1
    done
    mux capture-pane -p -t "$1"
    return 1
}
# Typed again if it is lost in a change of the terminal's settings.
session_ends() {
    for _ in $(seq 50); do
        type_keys main exit Enter || return 0
        sleep 0.2
        mux has-session || return 0
    done
    return 1
}
type_keys() { mux send-keys -t "$@"; }

step start mux new-session -d -s main -x 80 -y 24 'PS1="ready> " sh'
step prompt screen_shows main 'ready>'
type_keys main 'echo $((6 * 7)) is it' Enter
step command screen_shows main '42 is it'
type_keys main 'stty size' Enter
step size screen_shows main '24 80'
mux resize-window -t main -x 100 -y 30
type_keys main 'stty size' Enter
step resized screen_shows main '30 100'
type_keys main 'sleep 100' Enter
sleep 0.3
type_keys main C-c
type_keys main 'echo after interrupt $?' Enter
step interrupt screen_shows main 'after interrupt 130'
seq 500 >numbers
type_keys main 'less numbers' Enter
step less screen_shows main 'numbers'
type_keys main G
step less_end screen_shows main '500'
type_keys main q
type_keys main 'vi note' Enter
sleep 0.5
type_keys main i 'written in vi' Escape ':wq' Enter
step editor sh -c 'for i in $(seq 50); do grep -qx "written in vi" note && exit 0; sleep 0.1; done; exit 1'
step split mux split-window -t main 'echo second pane; sleep 100'
step second_pane screen_shows main.1 'second pane'
step list same 2 sh -c 'tmux -S mux list-panes -t main | wc -l'
mux kill-pane -t main.1
step end session_ends
finish
