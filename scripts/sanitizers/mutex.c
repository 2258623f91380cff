// Tells the thread sanitizer about the slow paths of Swift's Mutex, to be preloaded.
//
// The fast paths are compiled into our code, where the sanitizer sees them. The slow ones, for a mutex that is contended,
// lie in libswiftSynchronization, which is not instrumented: without this, whatever such a mutex protects is reported.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

#define SWIFT_METHOD __attribute__((swiftcall))
#define SELF __attribute__((swift_context))
#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));

SWIFT_METHOD void lock_slow(uint32_t thread, SELF void *mutex) __asm__(LOCK_SLOW);
SWIFT_METHOD void lock_slow(uint32_t thread, SELF void *mutex) {
    static SWIFT_METHOD void (*original)(uint32_t, SELF void *);
    if (!original) original = (SWIFT_METHOD void (*)(uint32_t, SELF void *))dlsym(RTLD_NEXT, LOCK_SLOW);
    original(thread, mutex);
    if (__tsan_acquire) __tsan_acquire(mutex);
}

SWIFT_METHOD void unlock_slow(SELF void *mutex) __asm__(UNLOCK_SLOW);
SWIFT_METHOD void unlock_slow(SELF void *mutex) {
    static SWIFT_METHOD void (*original)(SELF void *);
    if (!original) original = (SWIFT_METHOD void (*)(SELF void *))dlsym(RTLD_NEXT, UNLOCK_SLOW);
    if (__tsan_release) __tsan_release(mutex);
    original(mutex);
}
