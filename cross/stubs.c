// What std and musl name, but the manager can do without, or with something smaller.
// tests/cross compares what computes something with the original.

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

// std names only the thread that calls. musl's own names others too, by a file whose
// name it prints: 10 kB of printf come with it.
int pthread_setname_np(void *thread, const char *name) {
    (void)thread;
    return prctl(PR_SET_NAME, name);
}

// musl asks it whether a host's name is UTF-8: all of our configuration is.
size_t mbstowcs(void *wide, const char *text, size_t length) {
    (void)wide;
    (void)length;
    return strlen(text);
}

// Beside the size of a page std asks for nothing that it cannot do without.
long sysconf(int name) {
    if (name == _SC_PAGESIZE) return (long)getauxval(AT_PAGESZ);
    errno = EINVAL;
    return -1;
}

// musl's look-up of a host's name is the only one to ask for what follows: for a handful
// of addresses, in lines of /etc/hosts and /etc/resolv.conf. musl's own are made for
// much more, and larger.

void qsort(void *all, size_t count, size_t size, int (*compare)(const void *, const void *)) {
    for (size_t i = 1; i < count; i++) {
        for (char *at = (char *)all + i * size; at > (char *)all && compare(at - size, at) > 0; at -= size) {
            for (size_t k = 0; k < size; k++) {
                char one = at[k];
                at[k] = at[k - size];
                at[k - size] = one;
            }
        }
    }
}

char *strstr(const char *text, const char *word) {
    size_t length = strlen(word);
    while (strncmp(text, word, length)) {
        if (!*text++) return NULL;
    }
    return (char *)text;
}

char *__strchrnul(const char *text, int wanted) {
    while (*text && *text != (char)wanted) text++;
    return (char *)text;
}

char *__stpcpy(char *to, const char *from) {
    while ((*to = *from++)) to++;
    return to;
}

char *__stpncpy(char *to, const char *from, size_t room) {
    for (; room && (*to = *from++); room--) to++;
    memset(to, 0, room);
    return to;
}

// Without a sign or spaces before it.
static unsigned long long number(const char *text, char **end, int base, unsigned long long most) {
    const char *digits = text;
    if (base == 0) {
        base = *text == '0' ? 8 : 10;
        if (*text == '0' && (text[1] | 32) == 'x' && isxdigit((unsigned char)text[2])) {
            base = 16;
            digits += 2;
        }
    }
    unsigned long long value = 0;
    const char *at = digits;
    for (;; at++) {
        unsigned digit = isdigit((unsigned char)*at) ? *at - '0' : isalpha((unsigned char)*at) ? (*at | 32) - 'a' + 10 : 36;
        if (digit >= (unsigned)base) break;
        value = value > (most - digit) / base ? most : value * base + digit;
    }
    if (end) *end = (char *)(at == digits ? text : at);
    return value;
}

unsigned long strtoul(const char *text, char **end, int base) {
    return number(text, end, base, ULONG_MAX);
}

unsigned long long strtoull(const char *text, char **end, int base) {
    return number(text, end, base, ULLONG_MAX);
}

#ifdef TLS
// For multiples of P-256's generator ring has a table of 150 kB. The generator is a point
// as any other, and a handshake takes two or three of its multiples: cross/ring.ld has
// them computed as those of the other points, in constant time too. The coordinates are
// those of SEC 2, 2.4.2, times 2^256 modulo p, in words of any size: all of our targets
// are little-endian.

void ring_core_0_17_14__p256_point_mul(void *point, const void *scalar, const void *x, const void *y);

void multiply_generator(void *point, const void *scalar) {
    static const uint64_t x[] = {0x79e730d418a9143c, 0x75ba95fc5fedb601, 0x79fb732b77622510, 0x18905f76a53755c6};
    static const uint64_t y[] = {0xddf25357ce95560a, 0x8b4ab8e4ba19e45c, 0xd2e88688dd21f325, 0x8571ff1825885d85};
    ring_core_0_17_14__p256_point_mul(point, scalar, x, y);
}
#endif

// zig's copy, and musl's compares, byte by byte.

typedef struct { size_t value; } __attribute__((packed, may_alias)) word; // at any address

enum { WORD = sizeof(word) };

static inline size_t load(const char *from) { return ((const word *)from)->value; }
static inline void store(char *to, size_t value) { ((word *)to)->value = value; }

__attribute__((noinline)) void *memmove(void *into, const void *source, size_t length) {
    char *to = into;
    const char *from = source;
    if ((size_t)(to - from) < length) {
        for (; length >= WORD; length -= WORD) store(to + length - WORD, load(from + length - WORD));
        while (length--) to[length] = from[length];
    } else if (length >= WORD) {
        // Before what it overlaps is written.
        size_t end = load(from + length - WORD);
        char *last = to + length - WORD;
        for (; to < last; to += WORD, from += WORD) store(to, load(from));
        store(last, end);
    } else {
        for (; length; length--) *to++ = *from++;
    }
    return into;
}

void *memcpy(void *into, const void *source, size_t length) { return memmove(into, source, length); }

int memcmp(const void *one, const void *other, size_t length) {
    const unsigned char *a = one, *b = other;
    for (; length >= WORD && load((const char *)a) == load((const char *)b); length -= WORD) a += WORD, b += WORD;
    for (; length && *a == *b; length--) a++, b++;
    return length ? *a - *b : 0;
}

// A panic aborts, and without unwind tables a backtrace has no steps. std and, on
// ARM, musl name the unwinder all the same. With this in its place the real one,
// and printf with it, stay out.

int _Unwind_Backtrace(void *step, void *state) {
    (void)step;
    (void)state;
    return 5; // _URC_END_OF_STACK
}

#define NEVER_CALLED(name) void name(void) { __builtin_trap(); }
NEVER_CALLED(_Unwind_Complete)
NEVER_CALLED(_Unwind_DeleteException)
NEVER_CALLED(_Unwind_FindEnclosingFunction)
NEVER_CALLED(_Unwind_ForcedUnwind)
NEVER_CALLED(_Unwind_GetCFA)
NEVER_CALLED(_Unwind_GetDataRelBase)
NEVER_CALLED(_Unwind_GetGR)
NEVER_CALLED(_Unwind_GetIP)
NEVER_CALLED(_Unwind_GetIPInfo)
NEVER_CALLED(_Unwind_GetLanguageSpecificData)
NEVER_CALLED(_Unwind_GetRegionStart)
NEVER_CALLED(_Unwind_GetTextRelBase)
NEVER_CALLED(_Unwind_RaiseException)
NEVER_CALLED(_Unwind_Resume)
NEVER_CALLED(_Unwind_Resume_or_Rethrow)
NEVER_CALLED(_Unwind_SetGR)
NEVER_CALLED(_Unwind_SetIP)
#ifdef __arm__
NEVER_CALLED(_Unwind_VRS_Get)
NEVER_CALLED(_Unwind_VRS_Interpret)
NEVER_CALLED(_Unwind_VRS_Pop)
NEVER_CALLED(_Unwind_VRS_Set)
NEVER_CALLED(__aeabi_unwind_cpp_pr0)
NEVER_CALLED(__aeabi_unwind_cpp_pr1)
NEVER_CALLED(__aeabi_unwind_cpp_pr2)
NEVER_CALLED(__gnu_unwind_frame)
NEVER_CALLED(decode_eht_entry)
#endif
