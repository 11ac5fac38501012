//! Holds ARCHITECTURE.md true: which room knows which, how long files are, where `unsafe` stands, and that nothing unwraps.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test reads the sources and may stop at the first thing that is not as it thinks"
)]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Code lines a file may have, without comments, blank lines and tests.
const LONGEST: usize = 600;

#[test]
fn every_edge_between_rooms_stands_in_the_table() {
    let table = table();
    let mut stray = Vec::new();
    for source in sources() {
        let Some(allowed) = table.get(&source.room) else {
            stray.push(format!("{}:1: room `{}` has no row", source.name, source.room));
            continue;
        };
        for (line, text) in source.code.lines().enumerate() {
            for room in edges(text) {
                let other = room != source.room && table.contains_key(&room);
                if other && !allowed.contains(&room) {
                    stray.push(format!(
                        "{}:{}: `{}` may not use `{room}`",
                        source.name,
                        line + 1,
                        source.room
                    ));
                }
            }
        }
    }
    assert!(stray.is_empty(), "edges that ARCHITECTURE.md does not allow:\n{}", stray.join("\n"));
}

#[test]
fn rooms_use_only_rooms_above_their_row() {
    let mut seen = BTreeSet::new();
    for (rooms, allowed) in rows() {
        let upward: Vec<_> = allowed.difference(&seen).collect();
        assert!(upward.is_empty(), "{rooms:?} may use {upward:?}, which do not stand above");
        seen.extend(rooms);
    }
}

#[test]
fn imports_show_the_room_they_come_from() {
    let hidden = lines_with(|_, text| {
        let text = text.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        text.starts_with("use crate::{") || text.starts_with("use crate::*")
    });
    assert!(hidden.is_empty(), "imports that hide their room:\n{}", hidden.join("\n"));
}

#[test]
fn no_file_outgrows_one_idea() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|source| (source.code.lines().filter(|line| !line.trim().is_empty()).count(), source.name))
        .filter(|(lines, _)| *lines > LONGEST)
        .map(|(lines, name)| format!("{name}: {lines} code lines, {LONGEST} allowed"))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn unsafe_stands_only_where_it_is_named() {
    let section = section("unsafe");
    let named: BTreeSet<_> = section.lines().filter_map(|line| line.split('`').nth(1)).collect();
    assert!(!named.is_empty(), "ARCHITECTURE.md names no file for `unsafe`");
    let stray =
        lines_with(|source, text| !named.contains(&*source.name) && words(text).any(|word| word == "unsafe"));
    assert!(stray.is_empty(), "`unsafe` where ARCHITECTURE.md does not allow it:\n{}", stray.join("\n"));
}

#[test]
fn nothing_outside_tests_unwraps() {
    let found = lines_with(|_, text| text.contains(".unwrap(") || text.contains(".expect("));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_reader_of_sources_sees_code_and_nothing_else() {
    let text = "a // b\n\"c \\\" d\" e 'f' '\\'' r#\"g \" h\"# 'life /* i /* j */ k */ l\n#[cfg(test)]\nmod tests {\n  m } n";
    assert_eq!(code_of(text), "a \n\"\" e '' '' \"\" 'life  l\n\n\n n");
    assert_eq!(code_of("#[cfg(test)]\nmod tests;\nb"), "\n\nb");
    assert_eq!(edges("use crate::space::Part; crate::error::Error"), ["space", "error"]);
}

/// A source file of the engine, without comments, contents of literals, and tests; line numbers are kept.
struct Source {
    /// Path below `src/`.
    name: String,
    room: String,
    code: String,
}

impl Source {
    /// None for what is no room: `lib.rs` lists the public names, `fuzzing` reaches everywhere on purpose,
    /// `tests.rs` is tests.
    fn read(top: &Path, path: &Path) -> Option<Self> {
        let name = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
        let room = name.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        let is_test = name.ends_with("tests.rs") || name.contains("/tests/");
        if is_test || room == "lib" || room == "fuzzing" {
            return None;
        }
        Some(Self { code: code_of(&fs::read_to_string(path).unwrap()), name, room })
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files.iter().filter_map(|path| Source::read(&root, path)).collect()
}

fn lines_with(wanted: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources() {
        for (line, text) in source.code.lines().enumerate() {
            if wanted(&source, text) {
                found.push(format!("{}:{}: {}", source.name, line + 1, text.trim()));
            }
        }
    }
    found
}

/// What each room may use. Rooms that share a row may also use one another.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let mut table = BTreeMap::new();
    for (rooms, allowed) in rows() {
        for room in &rooms {
            table.insert(room.clone(), rooms.union(&allowed).cloned().collect());
        }
    }
    table
}

/// The rows of the table, in order: its rooms, and what they may use.
fn rows() -> Vec<(BTreeSet<String>, BTreeSet<String>)> {
    let section = section("rooms");
    let names = |cell: &str| words(cell).map(str::to_owned).collect();
    let rows: Vec<_> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').collect::<Vec<_>>())
        .map(|cells| (names(cells[1]), names(cells[2])))
        .collect();
    assert!(rows.len() > 10, "the table of rooms in ARCHITECTURE.md has {} rows", rows.len());
    rows
}

/// What stands in ARCHITECTURE.md between the two marks of `name`.
fn section(name: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ARCHITECTURE.md");
    let page = fs::read_to_string(page).unwrap();
    let after = page.split(&format!("<!-- {name}: begin -->")).nth(1).unwrap();
    after.split(&format!("<!-- {name}: end -->")).next().unwrap().to_owned()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
}

fn edges(code: &str) -> Vec<String> {
    code.split("crate::").skip(1).filter_map(|rest| words(rest).next().map(str::to_owned)).collect()
}

/// The code of a file: comments gone, literals empty, items under `#[cfg(test)]` gone, line breaks kept.
fn code_of(text: &str) -> String {
    let plain = Plain::of(text);
    let mut code = String::new();
    let mut rest = plain.as_str();
    while let Some((before, after)) = rest.split_once("#[cfg(test)]") {
        code.push_str(before);
        let end = item_end(after);
        code.extend(after[..end].chars().filter(|letter| *letter == '\n'));
        rest = &after[end..];
    }
    code.push_str(rest);
    code
}

/// Where the item at the start of `code` ends: after its braces, or its semicolon when it has none.
fn item_end(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, letter) in code.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && (letter == '}' || letter == ';') {
            return at + 1;
        }
    }
    code.len()
}

/// Walks over Rust text and keeps what is neither comment nor inside a literal.
struct Plain<'a> {
    rest: &'a str,
    out: String,
}

impl<'a> Plain<'a> {
    fn of(text: &'a str) -> String {
        let mut plain = Self { rest: text, out: String::new() };
        while let Some(letter) = plain.rest.chars().next() {
            plain.step(letter);
        }
        plain.out
    }

    fn step(&mut self, letter: char) {
        if self.rest.starts_with("//") {
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.skip(block_comment(self.rest));
        } else if let Some(length) = raw_string(self.rest).filter(|_| !self.in_word()) {
            self.literal('"', length);
        } else if letter == '"' {
            self.literal('"', quoted(self.rest, '"'));
        } else if letter == '\'' && is_char(self.rest) {
            self.literal('\'', quoted(self.rest, '\''));
        } else {
            self.out.push(letter);
            self.rest = &self.rest[letter.len_utf8()..];
        }
    }

    /// Whether an `r` here belongs to a name; the `b` of `br""` does not.
    fn in_word(&self) -> bool {
        self.out
            .chars()
            .next_back()
            .is_some_and(|last| (last.is_alphanumeric() && last != 'b') || last == '_')
    }

    fn literal(&mut self, quote: char, length: usize) {
        self.out.push(quote);
        self.skip(length);
        self.out.push(quote);
    }

    fn skip(&mut self, length: usize) {
        self.out.extend(self.rest[..length].chars().filter(|letter| *letter == '\n'));
        self.rest = &self.rest[length..];
    }
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn raw_string(text: &str) -> Option<usize> {
    let marks = text.strip_prefix('r')?;
    let hashes = marks.len() - marks.trim_start_matches('#').len();
    let inside = marks[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = inside.find(&close)?;
    Some(2 + hashes + end + close.len())
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if letter == quote {
            return at + 1;
        }
    }
    text.len()
}

/// A character rather than a lifetime: `'x'` or an escape.
fn is_char(text: &str) -> bool {
    let mut letters = text.chars().skip(1);
    letters.next().is_some_and(|first| first == '\\' || letters.next() == Some('\''))
}
