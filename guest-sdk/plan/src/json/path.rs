//! Where in a JSON text a position is, as a path for people.

/// The path of the value that line `line`, column `column` (in bytes, both from 1) is in, such as `needs[0].origin`.
pub(super) fn at(json: &str, line: usize, column: usize) -> String {
    let start: usize = json
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let end = (start + column.saturating_sub(1)).min(json.len());
    let mut walk = Walk::default();
    for &byte in &json.as_bytes()[..end] {
        walk.step(byte);
    }
    walk.path()
}

#[derive(Default)]
struct Walk {
    /// The objects and arrays that are open.
    open: Vec<Open>,
    /// The bytes of the string being read.
    string: Option<Vec<u8>>,
    escaped: bool,
    /// The last string that ended; a name when a colon follows.
    last: Vec<u8>,
}

enum Open {
    Object(Option<String>),
    Array(usize),
}

impl Walk {
    fn step(&mut self, byte: u8) {
        if let Some(string) = &mut self.string {
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                self.last = std::mem::take(string);
                self.string = None;
                return;
            }
            string.push(byte);
            return;
        }
        match byte {
            b'"' => self.string = Some(Vec::new()),
            b'{' => self.open.push(Open::Object(None)),
            b'[' => self.open.push(Open::Array(0)),
            b'}' | b']' => {
                self.open.pop();
            }
            b':' => {
                let name = String::from_utf8_lossy(&self.last).into_owned();
                if let Some(Open::Object(member)) = self.open.last_mut() {
                    *member = Some(name);
                }
            }
            b',' => {
                if let Some(Open::Array(position)) = self.open.last_mut() {
                    *position += 1;
                }
            }
            _ => {}
        }
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            match open {
                Open::Object(None) => {}
                Open::Object(Some(name)) if path.is_empty() => path.push_str(name),
                Open::Object(Some(name)) => {
                    path.push('.');
                    path.push_str(name);
                }
                Open::Array(position) => path.push_str(&format!("[{position}]")),
            }
        }
        if path.is_empty() { "the top".to_owned() } else { path }
    }
}
