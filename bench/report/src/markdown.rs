//! Numbers and tables as Markdown.

use crate::stats::Spread;

/// What stands for a number that was not measured.
pub(crate) const MISSING: &str = "not measured";

/// A table; every row has as many cells as the head. Numbers stand at the right, so all columns but the first are aligned so.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return format!("{MISSING}\n");
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let names: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    let rule = format!("|---|{}\n", "---:|".repeat(head.len().saturating_sub(1)));
    let body: String = rows.iter().map(|cells| line(cells)).collect();
    format!("{}{rule}{body}", line(&names))
}

/// A median with its quartiles, if there is one.
pub(crate) fn spread(spread: Option<Spread>) -> String {
    spread.map_or_else(
        || MISSING.to_owned(),
        |Spread { low, median, high }| format!("{} ({} to {})", number(median), number(low), number(high)),
    )
}

/// Three digits that count, more only for whole numbers, which are grouped by thousands.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 99.95 || (size - size.round()).abs() < 1e-9 {
        return grouped(value.round());
    }
    let digits = if size >= 9.995 { 1 } else { 2 };
    format!("{value:.digits$}")
}

fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let first = digits.len() % 3;
    let mut text = if value < 0.0 { "-".to_owned() } else { String::new() };
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && place % 3 == first {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_count() {
        let written = [0.0, 0.456, 3.0, 12.34, 99.96, 123.4, 1_234.0, 12_345_678.0, -1.5, -1_000.0].map(number);
        assert_eq!(written, ["0", "0.46", "3", "12.3", "100", "123", "1,234", "12,345,678", "-1.50", "-1,000"]);
    }

    #[test]
    fn a_table_is_lines_of_cells() {
        let rows = [vec!["one".to_owned(), "1".to_owned()]];
        assert_eq!(table(&["name", "number"], &rows), "| name | number |\n|---|---:|\n| one | 1 |\n");
        assert_eq!(table(&["name"], &[]), "not measured\n");
    }
}
