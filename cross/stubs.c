// What std and musl name, but the manager can do without.

#include <string.h>
#include <sys/prctl.h>

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
