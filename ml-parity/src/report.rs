//! Tables for people, in Markdown, and the count of bars held and missed.

/// What a run found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    text: String,
    pub(crate) held: usize,
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
        self.say(&text);
    }

    /// A bar: counted, and said in one line.
    pub(crate) fn bar(&mut self, what: &str, held: bool) {
        if held {
            self.held += 1;
        } else {
            self.missed += 1;
        }
        let verdict = if held { "held" } else { "MISSED" };
        self.say(&format!("\n{verdict}: {what}\n"));
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
