//! The report for people, and for scripts.

use std::fmt::{self, Write};

use super::Report;
use crate::model::text::{Escaped, Escaping, Text};

/// One or two lines for each finding, and one that sums up. `name` is the file's.
///
/// # Errors
/// `out` fails.
pub fn write_text(out: &mut dyn Write, name: &str, report: &Report) -> fmt::Result {
    for finding in &report.findings {
        let kind = if finding.is_error { "error" } else { "warning" };
        writeln!(out, "{name}:{}:{}: {kind}: {}", finding.line, finding.column, shown(&finding.what))?;
        if !finding.instead.is_empty() {
            writeln!(out, "    {}", shown(&finding.instead))?;
        }
    }
    if report.is_clean() {
        let (domains, components, baselines) = (report.domains, report.components, report.baselines);
        return writeln!(
            out,
            "{name}: good: {}, {}, {}",
            Count(domains, "domain"),
            Count(components, "component"),
            Count(baselines, "baseline")
        );
    }
    let hidden = report.errors + report.warnings - report.findings.len();
    write!(out, "{name}: {}, {}", Count(report.errors, "error"), Count(report.warnings, "warning"))?;
    match hidden {
        0 => writeln!(out),
        _ => writeln!(out, ", {hidden} of them not shown"),
    }
}

/// One JSON object on one line.
///
/// # Errors
/// `out` fails.
pub fn write_json(out: &mut dyn Write, name: &str, report: &Report) -> fmt::Result {
    write!(
        out,
        "{{\"file\":\"{}\",\"errors\":{},\"warnings\":{},\"findings\":[",
        Escaped(name),
        report.errors,
        report.warnings
    )?;
    for (place, finding) in report.findings.iter().enumerate() {
        let kind = if finding.is_error { "error" } else { "warning" };
        let comma = if place > 0 { "," } else { "" };
        write!(
            out,
            "{comma}{{\"line\":{},\"column\":{},\"kind\":\"{kind}\",\"what\":\"",
            finding.line, finding.column
        )?;
        Escaping(out).write_str(&finding.what)?;
        out.write_str("\",\"instead\":\"")?;
        Escaping(out).write_str(&finding.instead)?;
        out.write_str("\"}")?;
    }
    out.write_str("]}\n")
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
