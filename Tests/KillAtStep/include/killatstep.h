// Loaded into a program with LD_PRELOAD, this counts the steps in which the program changes anything outside of itself, and
// kills it, as `kill -9` does, when it is about to take one of a given number. What it starts is not counted.
//
// KILL_AT_STEP names a file with two numbers of 64 bits: at which step to kill, 0 for never, and how many have been taken.
// Both can be read and written at any time.
#pragma once

struct kill_at_step {
    long long step;
    long long taken;
};
