//! The report for people, and for scripts.

use std::fmt::{self, Write};

use super::Report;
use crate::model::text::{Escaped, Text};
use crate::model::Rollback;
use crate::wire::json::Json;

/// One or two lines for each finding, and one that sums up. `name` is the file's.
///
/// # Errors
/// `out` fails.
pub fn write_text(out: &mut dyn Write, name: &str, report: &Report) -> fmt::Result {
    for finding in &report.findings {
        let (line, column, kind) = (finding.line, finding.column, finding.kind());
        writeln!(out, "{name}:{line}:{column}: {kind}: {}", shown(&finding.what))?;
        if !finding.instead.is_empty() {
            writeln!(out, "    {}", shown(&finding.instead))?;
        }
    }
    if report.is_clean() {
        let (domains, components, baselines) = (report.domains, report.components, report.baselines);
        writeln!(
            out,
            "{name}: good: {}, {}, {}",
            Count(domains, "domain"),
            Count(components, "component"),
            Count(baselines, "baseline")
        )?;
        return write_groups(out, name, report);
    }
    let hidden = report.errors + report.warnings - report.findings.len();
    write!(out, "{name}: {}, {}", Count(report.errors, "error"), Count(report.warnings, "warning"))?;
    match hidden {
        0 => writeln!(out)?,
        _ => writeln!(out, ", {hidden} of them not shown")?,
    }
    write_groups(out, name, report)
}

/// What is rolled back together, a line for each group, if anybody has said it.
fn write_groups(out: &mut dyn Write, name: &str, report: &Report) -> fmt::Result {
    let Some(rollback) = report.rollback.filter(|_| !report.groups.is_empty()) else { return Ok(()) };
    if rollback == Rollback::None {
        return writeln!(out, "{name}: rollback none: each domain by itself");
    }
    writeln!(out, "{name}: rollback {}: {}", rollback.name(), Count(report.groups.len(), "group"))?;
    report.groups.iter().try_for_each(|group| writeln!(out, "    {}", shown(&group.join(", "))))
}

/// One JSON object on one line.
///
/// # Errors
/// `out` fails.
pub fn write_json(out: &mut dyn Write, name: &str, report: &Report) -> fmt::Result {
    let mut json = Json::new(out);
    json.begin_object("")?;
    json.text("file", &name)?;
    json.number("errors", report.errors as u64)?;
    json.number("warnings", report.warnings as u64)?;
    json.begin_array("findings")?;
    for finding in &report.findings {
        json.begin_object("")?;
        json.number("line", finding.line as u64)?;
        json.number("column", finding.column as u64)?;
        json.text("kind", &finding.kind())?;
        json.text("what", &finding.what)?;
        json.text("instead", &finding.instead)?;
        json.end_object()?;
    }
    json.end_array()?;
    json.text("rollback", &report.rollback.unwrap_or_default().name())?;
    json.begin_array("groups")?;
    for group in &report.groups {
        json.begin_array("")?;
        group.iter().try_for_each(|domain| json.text("", domain))?;
        json.end_array()?;
    }
    json.end_array()?;
    json.end_object()?;
    out.write_char('\n')
}

/// So that nothing of the document can mislead at the terminal.
fn shown(text: &str) -> String {
    Text::from_checked(&Escaped(text).to_string()).to_string()
}

struct Count(usize, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}
