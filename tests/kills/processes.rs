//! The manager and its agents as processes that are killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A program that can be killed and started again; what it prints goes to a file.
pub struct Process {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    folder: PathBuf,
    child: Option<Child>,
}

impl Process {
    pub fn new(name: &str, program: &Path, arguments: Vec<String>, folder: &Path) -> Process {
        let (name, program, folder) = (name.to_owned(), program.to_owned(), folder.to_owned());
        Process { name, program, arguments, folder, child: None }
    }

    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    pub fn start(&mut self) -> Result<(), String> {
        let log = File::options().create(true).append(true).open(self.log()).map_err(|error| error.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            // Whatever happens, this machine is not rebooted.
            .env("FILE_SYS_RQ", self.folder.join("sysrq"))
            .env("FILE_SYS_RQ_TRIGGER", self.folder.join("sysrq-trigger"))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn();
        self.child = Some(child.map_err(|error| format!("cannot start {}: {error}", self.program.display()))?);
        Ok(())
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn is_down(&self) -> bool {
        self.child.is_none()
    }

    /// # Errors
    /// It has ended by itself.
    pub fn check(&mut self) -> Result<(), String> {
        match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(Some(status))) => Err(format!("{} has ended by itself: {status}", self.name)),
            _ => Ok(()),
        }
    }

    /// The end of what it printed, of lines that are `wanted`.
    pub fn tail(&self, lines: usize, wanted: impl Fn(&str) -> bool) -> String {
        let bytes = std::fs::read(self.log()).unwrap_or_default();
        let all = String::from_utf8_lossy(&bytes);
        let all: Vec<&str> = all.lines().filter(|line| wanted(line)).collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// How many lines it printed that have these words.
    pub fn said(&self, words: &str) -> usize {
        let bytes = std::fs::read(self.log()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).lines().filter(|line| line.contains(words)).count()
    }

    fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
