//! Saving, one job at a time, on a thread that may wait for the flash.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::disk::{Disk, StateDir};
use crate::store::{Failure, Job};

/// A job that runs.
type Saving = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;

/// Where activities are saved, if they are.
pub struct Saver {
    disk: Option<Disk<StateDir>>,
    saving: Option<Saving>,
    /// Of a job that nobody knows yet to have ended.
    result: Option<Result<(), Failure>>,
}

impl Saver {
    pub fn new(disk: Option<Disk<StateDir>>) -> Saver {
        Saver { disk, saving: None, result: None }
    }

    /// Begins with the job that `next` gives, if none runs.
    pub fn begin(&mut self, next: impl FnOnce() -> Option<Job>) {
        let (Some(disk), None) = (&self.disk, &self.saving) else { return };
        if let Some(job) = next() {
            let disk = disk.clone();
            self.saving = Some(Box::pin(smol::unblock(move || disk.run(&job))));
        }
    }

    /// Waits: ready when a job has come to its end.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.saving.as_mut().map(|saving| saving.as_mut().poll(cx)) {
            Some(Poll::Ready(result)) => {
                self.result = Some(result);
                self.saving = None;
                Poll::Ready(())
            }
            _ => Poll::Pending,
        }
    }

    /// Takes the result of the job that has come to its end.
    pub fn take(&mut self) -> Option<Result<(), Failure>> {
        self.result.take()
    }
}
