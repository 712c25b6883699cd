// Compares what cross/stubs.c computes with what the C library of this machine does, on
// short texts of few letters, so that all that can meet does. It prints how many cases
// there were, or ends with 1 and the one that differs.

#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#define sysconf our_sysconf
#define qsort our_qsort
#define strstr our_strstr
#define __strchrnul our_strchrnul
#define __stpcpy our_stpcpy
#define __stpncpy our_stpncpy
#define strtoul our_strtoul
#define strtoull our_strtoull
#define mbstowcs our_mbstowcs
#define memmove our_memmove
#define memcpy our_memcpy
#define memcmp our_memcmp
#include "../../cross/stubs.c"
#undef sysconf
#undef qsort
#undef strstr
#undef strtoul
#undef strtoull
#undef memmove
#undef memcpy
#undef memcmp

enum { CASES = 200000, ROOM = 24 };

static uint64_t state = 1;

static unsigned below(unsigned n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % n;
}

static void fill(char *text, const char *letters) {
    unsigned length = below(ROOM);
    for (unsigned i = 0; i < length; i++) text[i] = letters[below((unsigned)strlen(letters))];
    text[length] = 0;
}

static void same(int is_same, const char *name, const char *one, const char *other) {
    if (is_same) return;
    printf("%s differs: '%s' '%s'\n", name, one, other);
    exit(1);
}

static int by_key(const void *one, const void *other) {
    return *(const unsigned char *)one - *(const unsigned char *)other;
}

static void sort(void) {
    // The second byte is different in each, so it shows what was swapped with what.
    unsigned char ours[40][7], theirs[40][7];
    unsigned count = below(41);
    for (unsigned i = 0; i < count; i++) {
        memset(ours[i], (int)i, sizeof ours[i]);
        ours[i][0] = (unsigned char)below(256);
    }
    memcpy(theirs, ours, sizeof ours);
    our_qsort(ours, count, sizeof ours[0], by_key);
    qsort(theirs, count, sizeof theirs[0], by_key);
    for (unsigned i = 0; i < count; i++) {
        same(ours[i][0] == theirs[i][0], "qsort", "its keys", "");
        for (unsigned k = 2; k < 7; k++) same(ours[i][k] == ours[i][1], "qsort", "its elements", "");
    }
}

static void copy(const char *text) {
    char ours[2 * ROOM], theirs[2 * ROOM];
    size_t room = below(ROOM + 4);
    memset(ours, 'x', sizeof ours);
    memset(theirs, 'x', sizeof theirs);
    same(our_stpcpy(ours, text) - ours == stpcpy(theirs, text) - theirs, "stpcpy", text, "its end");
    same(!memcmp(ours, theirs, sizeof ours), "stpcpy", text, "");
    memset(ours, 'x', sizeof ours);
    memset(theirs, 'x', sizeof theirs);
    same(our_stpncpy(ours, text, room) - ours == stpncpy(theirs, text, room) - theirs, "stpncpy", text, "its end");
    same(!memcmp(ours, theirs, sizeof ours), "stpncpy", text, "");
}

static int sign(int number) { return (number > 0) - (number < 0); }

// At every distance, also where both overlap.
static void move(void) {
    unsigned char start[4 * ROOM], ours[4 * ROOM], theirs[4 * ROOM];
    for (unsigned i = 0; i < sizeof start; i++) start[i] = (unsigned char)below(3);
    memcpy(ours, start, sizeof ours);
    memcpy(theirs, start, sizeof theirs);
    size_t length = below(2 * ROOM), to = below(2 * ROOM), from = below(2 * ROOM);
    same(our_memmove(ours + to, ours + from, length) == ours + to, "memmove", "its result", "");
    memmove(theirs + to, theirs + from, length);
    same(!memcmp(ours, theirs, sizeof ours), "memmove", "", "");
    same(our_memcpy(ours, start + from, length) == ours, "memcpy", "its result", "");
    memcpy(theirs, start + from, length);
    same(!memcmp(ours, theirs, sizeof ours), "memcpy", "", "");
    // Bytes past 127 are more, not less.
    ours[to] ^= (unsigned char)(below(2) << 7);
    length = below(ROOM);
    same(sign(our_memcmp(ours + to, theirs + to, length)) == sign(memcmp(ours + to, theirs + to, length)), "memcmp", "", "");
    same(sign(our_memcmp(ours + to, start + from, length)) == sign(memcmp(ours + to, start + from, length)), "memcmp", "", "");
}

static void parse(const char *text) {
    static const int bases[] = {0, 8, 10, 16};
    // What we do without: signs and spaces in front.
    if (isspace((unsigned char)*text) || *text == '-' || *text == '+') return;
    for (int i = 0; i < 4; i++) {
        // The original also takes 0x where the base is said to be 16.
        if (bases[i] == 16 && *text == '0' && (text[1] | 32) == 'x') continue;
        char *ours, *theirs;
        same(our_strtoul(text, &ours, bases[i]) == strtoul(text, &theirs, bases[i]), "strtoul", text, "");
        same(ours == theirs, "strtoul", text, "its end");
        same(our_strtoull(text, &ours, bases[i]) == strtoull(text, &theirs, bases[i]), "strtoull", text, "");
        same(ours == theirs, "strtoull", text, "its end");
    }
}

int main(void) {
    char text[ROOM], word[ROOM];
    for (int i = 0; i < CASES; i++) {
        fill(text, "ab.");
        fill(word, "ab.");
        word[below(5)] = 0;
        same(our_strstr(text, word) == strstr(text, word), "strstr", text, word);
        same(our_strchrnul(text, word[0]) == strchrnul(text, word[0]), "strchrnul", text, word);
        copy(text);
        sort();
        move();
        fill(text, below(2) ? "0123456789" : "0018fFxX.gz ");
        parse(text);
    }
    same(our_sysconf(_SC_PAGESIZE) == sysconf(_SC_PAGESIZE), "sysconf", "_SC_PAGESIZE", "");
    printf("%d cases are the same\n", CASES);
}
