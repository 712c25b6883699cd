//! What the manager takes from the heap. The world around it is not counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What code of the manager did in this thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Heap {
    /// Times that it asked for memory.
    pub calls: u64,
    /// Bytes that it asked for and did not give back.
    pub bytes: i64,
}

thread_local! {
    static HEAP: Cell<Heap> = const { Cell::new(Heap { calls: 0, bytes: 0 }) };
    static IS_MANAGERS: Cell<bool> = const { Cell::new(false) };
}

/// The system's allocator, which counts what the manager takes. A test binary that wants
/// that to be counted makes it its own: `#[global_allocator] static A: Counting = Counting;`
pub struct Counting;

fn count(calls: u64, bytes: i64) {
    if IS_MANAGERS.get() {
        let heap = HEAP.get();
        HEAP.set(Heap { calls: heap.calls + calls, bytes: heap.bytes + bytes });
    }
}

// SAFETY: the system's allocator does all; counting touches only plain cells.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as i64 - layout.size() as i64);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(place, layout, size) }
    }
}

/// What was counted so far.
pub fn so_far() -> Heap {
    HEAP.get()
}

/// Does something of the manager's.
pub fn of_manager<T>(act: impl FnOnce() -> T) -> T {
    with(true, act)
}

/// Does something of the world's, in the middle of the manager.
pub fn of_world<T>(act: impl FnOnce() -> T) -> T {
    with(false, act)
}

fn with<T>(is_managers: bool, act: impl FnOnce() -> T) -> T {
    let before = IS_MANAGERS.replace(is_managers);
    let result = act();
    IS_MANAGERS.set(before);
    result
}

/// Fails if the manager takes anything from the heap meanwhile.
pub fn untouched<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let before = so_far();
    let result = of_manager(act);
    assert_eq!(so_far().calls, before.calls, "{what} takes memory from the heap");
    result
}
