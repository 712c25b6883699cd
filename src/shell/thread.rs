//! Work that may block, on a thread of its own.
//!
//! Not on the pool of `blocking`: that one keeps to itself when the system has no thread for
//! it, and never tries for more than it had by then.

use std::io;
use std::thread::Builder;

use async_task::Task;

/// Runs `work` on a thread that ends with it. Its result is what the task waits for; without
/// the task the work goes on all the same.
///
/// # Errors
/// The system has no thread to give.
pub fn run<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> io::Result<Task<T>> {
    let (runnable, task) = async_task::spawn(async move { work() }, |_| ());
    let no_thread = |error: io::Error| io::Error::new(error.kind(), format!("no thread: {error}"));
    Builder::new().name(name.to_owned()).spawn(move || runnable.run()).map_err(no_thread)?;
    Ok(task)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_done_on_another_thread_and_its_result_comes_back() {
        let own = std::thread::current().id();
        let other = smol::block_on(run("other", || std::thread::current().id()).unwrap());
        assert_ne!(other, own);
    }
}
