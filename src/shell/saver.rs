//! Saving, one job at a time, on a thread that may wait for the flash.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_task::Task;

use super::disk::{Disk, StateDir};
use super::thread;
use crate::store::{Failure, Job};

/// Where activities are saved, if they are.
pub struct Saver {
    disk: Option<Disk<StateDir>>,
    saving: Option<Task<Result<(), Failure>>>,
    /// Of a job that nobody knows yet to have ended.
    result: Option<Result<(), Failure>>,
}

impl Saver {
    pub fn new(disk: Option<Disk<StateDir>>) -> Saver {
        Saver { disk, saving: None, result: None }
    }

    /// Begins with the job that `next` gives, if none runs. Without a thread for it, it has
    /// failed, as on a full disk.
    pub fn begin(&mut self, next: impl FnOnce() -> Option<Job>) {
        let (Some(disk), None, None) = (&self.disk, &self.saving, &self.result) else { return };
        if let Some(job) = next() {
            let disk = disk.clone();
            match thread::run("save", move || disk.run(&job)) {
                Ok(saving) => self.saving = Some(saving),
                Err(error) => self.result = Some(Err(Failure { done: 0, why: error.to_string(), is_gone: false })),
            }
        }
    }

    /// Waits: ready when a job has come to its end.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(Poll::Ready(result)) = self.saving.as_mut().map(|saving| Pin::new(saving).poll(cx)) {
            self.result = Some(result);
            self.saving = None;
        }
        match self.result {
            Some(_) => Poll::Ready(()),
            None => Poll::Pending,
        }
    }

    /// Takes the result of the job that has come to its end.
    pub fn take(&mut self) -> Option<Result<(), Failure>> {
        self.result.take()
    }
}
