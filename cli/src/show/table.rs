//! Tables without lines, and bars.

use comfy_table::{CellAlignment, Table, presets};

/// The longest bar, in characters.
const LONGEST: usize = 40;

/// A table whose columns are as wide as they have to be, indented, without lines; `right` are columns of numbers.
pub(crate) fn table(rows: Vec<Vec<String>>, right: &[usize]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.add_rows(rows);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 2 } else { 1 }, 1));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// A bar for a share, 0 to 1; one that is not 0 has at least a sliver.
pub(crate) fn bar(share: f64) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // 0 to 320.
    let eighths = (share.clamp(0.0, 1.0) * (LONGEST * 8) as f64).round() as usize;
    let eighths = if share > 0.0 { eighths.max(1) } else { eighths };
    let rest = EIGHTHS.get(eighths % 8).filter(|_| eighths % 8 > 0);
    "█".repeat(eighths / 8) + &rest.map(char::to_string).unwrap_or_default()
}

/// A share, 0 to 1, as a percentage in a sentence: to the ten thousandth, and no longer than it has to be.
pub(crate) fn short_percent(share: f64) -> String {
    let decimals = format!("{:.4}", share * 100.0);
    format!("{} %", decimals.trim_end_matches('0').trim_end_matches('.'))
}

/// A share, 0 to 1, as a percentage with so many decimals.
pub(crate) fn percent(share: f64, decimals: usize) -> String {
    format!("{:.decimals$} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars() {
        for (share, expected) in
            [(0.0, ""), (0.000_001, "▏"), (0.5, "████████████████████"), (0.025, "█"), (0.0125, "▌")]
        {
            assert_eq!(bar(share), expected, "{share}");
        }
        assert_eq!(bar(7.0).chars().count(), LONGEST);
    }
}
