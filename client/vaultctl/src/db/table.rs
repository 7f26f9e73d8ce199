//! Rows drawn as a table, in pages, so that any number of them takes little memory.

use comfy_table::{
    Cell, CellAlignment, ColumnConstraint, LineStyle, Table, TableStyle, Width, presets,
};
use vault_client::{Column, Value};

use super::cell;

/// Rows of a page. The first one decides how wide the columns are.
const PAGE: usize = 100;
/// Digits that numbers may gain on later pages, as counted ones do.
const GROWTH: usize = 4;
/// Narrowest column where there is not enough room for all, in characters.
const NARROWEST: usize = 4;
/// A cell's padding and the line before it.
const FRAME: usize = 3;

/// A table being drawn.
pub(super) struct Drawing {
    headings: Vec<String>,
    /// Columns of the terminal.
    room: usize,
    /// Of the columns, in characters; empty before the first page.
    widths: Vec<usize>,
    page: Vec<Vec<(String, CellAlignment)>>,
}

impl Drawing {
    pub(super) fn new(columns: &[Column], room: usize) -> Self {
        let headings = columns.iter().map(|column| cell::escaped(&column.name));
        Self {
            headings: headings.collect(),
            room,
            widths: Vec::new(),
            page: Vec::new(),
        }
    }

    /// Takes a row, and draws a page where it is full.
    pub(super) fn row(&mut self, values: &[Value]) -> Option<String> {
        let cells = values.iter().map(|value| {
            let alignment = match value {
                Value::Integer(_) | Value::Real(_) => CellAlignment::Right,
                _ => CellAlignment::Left,
            };
            (cell::drawn(value), alignment)
        });
        self.page.push(cells.collect());
        // One more than a page shows that it is not the last.
        (self.page.len() > PAGE).then(|| {
            let next = self.page.split_off(PAGE);
            let page = self.draw(false);
            self.page = next;
            page
        })
    }

    /// Draws what is left.
    pub(super) fn end(&mut self) -> String {
        self.draw(true)
    }

    fn draw(&mut self, last: bool) -> String {
        let first = self.widths.is_empty();
        if first {
            let growth = if last { 0 } else { GROWTH };
            self.widths = fit(&self.natural_widths(growth), self.room);
        }
        let mut table = Table::new();
        table.load_style(style(first, last));
        if first {
            table.set_header(&self.headings);
        }
        for row in self.page.drain(..) {
            let cells = row.into_iter();
            table.add_row(
                cells.map(|(text, alignment)| Cell::new_owned(text).set_alignment(alignment)),
            );
        }
        table.set_constraints(self.widths.iter().map(|width| {
            // With its padding.
            let width = u16::try_from(width + FRAME - 1).unwrap_or(u16::MAX);
            ColumnConstraint::Absolute(Width::Fixed(width))
        }));
        let mut drawn = table.to_string();
        if !drawn.is_empty() {
            drawn.push('\n');
        }
        drawn
    }

    /// What the page needs, where numbers may become longer by `growth`.
    fn natural_widths(&self, growth: usize) -> Vec<usize> {
        let measure = |text: &str| console::measure_text_width(text);
        let mut widths: Vec<usize> = self.headings.iter().map(|text| measure(text)).collect();
        for row in &self.page {
            for (width, (text, alignment)) in widths.iter_mut().zip(row) {
                let number = *alignment == CellAlignment::Right;
                *width = (*width).max(measure(text) + if number { growth } else { 0 });
            }
        }
        widths
    }
}

/// The frame, open to the pages before and after.
fn style(first: bool, last: bool) -> TableStyle {
    let mut style = presets::UTF8_FULL_CONDENSED;
    if !first {
        style = style.top_border(LineStyle::none());
    }
    if !last {
        style = style.bottom_border(LineStyle::none());
    }
    style
}

/// Widths that fit the room: the widest columns give way first.
fn fit(natural: &[usize], room: usize) -> Vec<usize> {
    let room = room.saturating_sub(natural.len() * FRAME + 1);
    let capped = |most: usize| natural.iter().map(move |width| (*width).clamp(1, most));
    let widest = natural.iter().copied().max().unwrap_or(1).max(NARROWEST);
    let most = (NARROWEST..=widest)
        .rev()
        .find(|most| capped(*most).sum::<usize>() <= room);
    capped(most.unwrap_or(NARROWEST)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Vec<Column> {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            declared_type: String::new(),
        };
        names.iter().map(column).collect()
    }

    fn draw(drawing: &mut Drawing, rows: &[Vec<Value>]) -> String {
        let mut text = String::new();
        for row in rows {
            text.extend(drawing.row(row));
        }
        text.push_str(&drawing.end());
        text
    }

    #[test]
    fn numbers_stand_right_and_text_left() {
        let mut drawing = Drawing::new(&columns(&["n", "text"]), 80);
        let rows = [
            vec![Value::Integer(7), Value::from("a")],
            vec![Value::Integer(-100), Value::Null],
        ];
        let expected = "\
┌──────┬──────┐
│ n    ┆ text │
╞══════╪══════╡
│    7 ┆ a    │
│ -100 ┆ NULL │
└──────┴──────┘
";
        assert_eq!(draw(&mut drawing, &rows), expected);
    }

    #[test]
    fn pages_make_one_table() {
        let mut drawing = Drawing::new(&columns(&["n"]), 80);
        let rows: Vec<_> = (0..250).map(|n| vec![Value::Integer(n)]).collect();
        let text = draw(&mut drawing, &rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 250 + 4);
        for part in ["┌", "╞", "└"] {
            assert_eq!(text.matches(part).count(), 1, "{part}");
        }
        assert!(
            lines
                .iter()
                .all(|line| line.chars().count() == lines[0].chars().count())
        );
    }

    #[test]
    fn a_full_last_page_closes_the_table_once() {
        for count in [0, 1, 100, 101] {
            let mut drawing = Drawing::new(&columns(&["n"]), 80);
            let rows = vec![vec![Value::Integer(7)]; count];
            let text = draw(&mut drawing, &rows);
            assert_eq!(text.matches('└').count(), 1, "{count}");
            assert_eq!(text.lines().count(), count + 4, "{count}");
        }
    }

    #[test]
    fn columns_share_the_room_there_is() {
        assert_eq!(fit(&[3, 5], 80), [3, 5]);
        // 40 less 7 of frame.
        assert_eq!(fit(&[3, 500], 40), [3, 30]);
        assert_eq!(fit(&[500, 500], 40), [16, 16]);
        assert_eq!(fit(&[500; 30], 40), [NARROWEST; 30]);
        assert_eq!(fit(&[0], 40), [1]);
    }

    #[test]
    fn lines_are_no_wider_than_the_terminal() {
        let mut drawing = Drawing::new(&columns(&["id", "text"]), 40);
        let long = "word ".repeat(50);
        let rows = [vec![Value::Integer(1), Value::from(long.as_str())]];
        for line in draw(&mut drawing, &rows).lines() {
            assert!(console::measure_text_width(line) <= 40, "{line}");
        }
    }
}
