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
}

impl Saver {
    pub fn new(disk: Option<Disk<StateDir>>) -> Saver {
        Saver { disk, saving: None }
    }

    /// Begins with the job that `next` gives, if none runs.
    pub fn begin(&mut self, next: impl FnOnce() -> Option<Job>) {
        let (Some(disk), None) = (&self.disk, &self.saving) else { return };
        if let Some(job) = next() {
            let disk = disk.clone();
            self.saving = Some(Box::pin(smol::unblock(move || disk.run(&job))));
        }
    }

    /// Whether a job runs.
    pub fn is_saving(&self) -> bool {
        self.saving.is_some()
    }

    /// Ready when a job has come to its end.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let Some(saving) = &mut self.saving else { return Poll::Pending };
        let result = saving.as_mut().poll(cx);
        if result.is_ready() {
            self.saving = None;
        }
        result
    }
}
