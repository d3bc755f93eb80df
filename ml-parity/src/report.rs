//! Tables for people, in Markdown, and the count of bars held and missed.

/// What a run found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    text: String,
    bars: Vec<Vec<String>>,
    pub(crate) missed: usize,
}

impl Report {
    /// A heading with a sentence of what is compared and how.
    pub(crate) fn section(&mut self, title: &str, remark: &str) {
        self.say(&format!("\n## {title}\n\n{remark}\n\n"));
    }

    /// A table. Cells are as wide as they need to be.
    pub(crate) fn table(&mut self, header: &[&str], rows: &[Vec<String>]) {
        let mut text = format!(
            "| {} |\n|{}\n",
            header.join(" | "),
            "---|".repeat(header.len())
        );
        for row in rows {
            text.push_str(&format!("| {} |\n", row.join(" | ")));
        }
        text.push('\n');
        self.say(&text);
    }

    /// A bar: what is asked, what was asked for, what was found. It goes into the table at the end.
    pub(crate) fn bar(&mut self, what: &str, bar: &str, measured: &str, held: bool) {
        let verdict = if held { "yes" } else { "**no**" };
        self.missed += usize::from(!held);
        self.bars
            .push([what, bar, measured, verdict].map(str::to_owned).to_vec());
    }

    /// A bar from above.
    pub(crate) fn at_most(&mut self, what: &str, bar: f64, measured: f64) {
        let (least, found) = (format!("≤ {}", decimals(bar)), decimals(measured));
        self.bar(what, &least, &found, measured <= bar);
    }

    /// A bar from below.
    pub(crate) fn at_least(&mut self, what: &str, bar: f64, measured: f64) {
        let (least, found) = (format!("≥ {}", decimals(bar)), decimals(measured));
        self.bar(what, &least, &found, measured >= bar);
    }

    /// All bars in one table.
    pub(crate) fn conclude(&mut self) {
        let bars = std::mem::take(&mut self.bars);
        let held = bars.len() - self.missed;
        self.section("Bars", &format!("{held} of {} held.", bars.len()));
        self.table(&["question", "bar", "measured", "held"], &bars);
    }

    /// Everything so far.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn say(&mut self, text: &str) {
        use std::io::Write;
        self.text.push_str(text);
        // Nobody may be listening; the file keeps the report.
        let _ = std::io::stdout().write_all(text.as_bytes());
    }
}

/// A number with four decimals.
pub(crate) fn decimals(value: f64) -> String {
    format!("{value:.4}")
}
