//! `watch` and `record`: live files, from the writer's side and from the reader's.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test makes its files and stops when it cannot"
)]

#[expect(dead_code, reason = "made for files that are not live")]
mod support;

use hyperslab::{Dataset, File, OpenOptions, WriterState};
use ndarray::Array2;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use support::hyperslab;

/// A live file with `/data`, rows of four numbers.
fn live(path: &Path) -> (File, Dataset) {
    let file = OpenOptions::new().create(path).unwrap();
    let data = file.new_dataset::<u16>().shape([0, 4]).max_shape([None, Some(4)]).create("data").unwrap();
    file.start_swmr().unwrap();
    (file, data)
}

fn append(data: &Dataset, rows: u16) {
    let before = u16::try_from(data.shape()[0]).unwrap();
    let count = usize::from(rows);
    let numbers = Array2::from_shape_fn((count, 4), |(row, _)| before + u16::try_from(row).unwrap());
    data.append(0, &numbers).unwrap();
    data.flush().unwrap();
}

/// The command, running.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    fn start(directory: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hyperslab"))
            .current_dir(directory)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    fn send(&mut self, bytes: &[u8]) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    /// What it said to the end, on standard error too, and how it ended.
    fn end(mut self) -> (String, String, Option<i32>) {
        drop(self.child.stdin.take());
        let mut out = String::new();
        std::io::Read::read_to_string(&mut self.out, &mut out).unwrap();
        let done = self.child.wait_with_output().unwrap();
        (out, String::from_utf8(done.stderr).unwrap(), done.status.code())
    }
}

#[test]
fn watch_tells_a_line_for_each_growth_until_the_file_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let (file, data) = live(&directory.path().join("run.h5"));
    let mut watch = Running::start(directory.path(), &["watch", "--stat", "run.h5/data"]);
    let first = watch.line();
    assert!(first.contains("/data") && first.contains("still written"), "{first}");
    append(&data, 3);
    let line = watch.line();
    assert!(
        line.contains("+3") && line.contains("[3, 4]") && line.contains("min 2  max 2  mean 2"),
        "{line}"
    );
    append(&data, 1);
    assert!(watch.line().contains("[4, 4]"));
    data.resize([2, 4]).unwrap();
    data.flush().unwrap();
    let line = watch.line();
    assert!(line.contains("-2") && line.contains("[2, 4]"), "{line}");
    file.close().unwrap();
    let (out, err, status) = watch.end();
    assert!(out.contains("[2, 4] after") && out.trim_end().ends_with("closed"), "{out}");
    assert_eq!((err.as_str(), status), ("", Some(0)));
}

#[test]
fn watch_speaks_json_to_programs() {
    let directory = tempfile::tempdir().unwrap();
    let (file, data) = live(&directory.path().join("run.h5"));
    let mut watch = Running::start(directory.path(), &["watch", "--json", "--stat", "run.h5::data"]);
    let parsed = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    assert_eq!(parsed(&watch.line())["shape"], serde_json::json!([0, 4]));
    append(&data, 5);
    let told = parsed(&watch.line());
    assert_eq!((&told["rows"], &told["after"]), (&serde_json::json!([0, 5]), &serde_json::json!([5, 4])));
    assert_eq!(told["stat"], serde_json::json!({"min": 4.0, "max": 4.0, "mean": 4.0}));
    assert!(told["lag"].as_f64().unwrap() < 60.0, "{told}");
    file.close().unwrap();
    let (out, _, status) = watch.end();
    assert_eq!((&parsed(&out)["state"], status), (&Value::from("closed"), Some(0)));
}

#[test]
fn watch_joins_what_grows_between_two_lines() {
    let directory = tempfile::tempdir().unwrap();
    let (file, data) = live(&directory.path().join("run.h5"));
    let mut watch = Running::start(directory.path(), &["watch", "--json", "--every", "600", "run.h5/data"]);
    watch.line();
    append(&data, 1);
    assert!(watch.line().contains("\"rows\":[0,1]"));
    for _ in 0..20 {
        append(&data, 1);
        std::thread::sleep(Duration::from_millis(1));
    }
    file.close().unwrap();
    let (out, _, _) = watch.end();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2, "the end does not wait: {out}");
    assert!(lines[0].contains("\"rows\":[1,21]"), "{out}");
}

#[test]
fn watch_ends_when_nothing_changes_for_long_enough() {
    let directory = tempfile::tempdir().unwrap();
    let (_file, data) = live(&directory.path().join("run.h5"));
    append(&data, 2);
    let run = hyperslab(directory.path(), &["watch", "--timeout", "0.2", "run.h5/data"]);
    assert!(
        run.status == 0 && run.out.contains("[2, 4] after") && run.out.contains("still written"),
        "{}",
        run.out
    );
}

#[test]
fn what_cannot_be_watched_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let (file, data) = live(&directory.path().join("run.h5"));
    append(&data, 2);
    let plain = File::create(directory.path().join("plain.h5")).unwrap();
    for (arguments, way_out) in [
        (&["watch", "run.h5/dato"][..], "hyperslab ls -r run.h5"),
        (&["watch", "run.h5"], "hyperslab ls -r run.h5"),
        (&["watch", "no.h5/data"], "start the writer first"),
        (&["watch", "plain.h5/data"], "start_swmr"),
        (&["watch", "run.h5::data?slice=0"], "leave out"),
    ] {
        let run = hyperslab(directory.path(), arguments);
        assert!(run.status == 1 && run.err.contains(way_out), "{arguments:?}: {}", run.err);
    }
    // What the errors lead to works while the file is written.
    let listed = hyperslab(directory.path(), &["ls", "-r", "run.h5"]);
    assert!(listed.status == 0 && listed.out.contains("data"), "{}", listed.err);
    let run = hyperslab(directory.path(), &["watch", "--every", "soon", "run.h5/data"]);
    assert!(run.status == 2 && run.err.contains("not a time"), "{}", run.err);
    drop((file, plain));
}

#[test]
fn watch_fails_when_the_writer_dies() {
    let directory = tempfile::tempdir().unwrap();
    let mut record =
        Running::start(directory.path(), &["record", "run.h5/data", "--shape", "4", "--dtype", "u1"]);
    record.send(&[1, 2, 3, 4]);
    let path = directory.path().join("run.h5");
    let frames = || OpenOptions::new().swmr(true).open(&path)?.dataset("data").map(|data| data.shape()[0]);
    while frames().unwrap_or(0) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut watch = Running::start(directory.path(), &["watch", "run.h5/data"]);
    watch.line();
    record.child.kill().unwrap();
    record.child.wait().unwrap();
    let (_, err, status) = watch.end();
    assert!(err.contains("hyperslab recover run.h5") && status == Some(1), "{err}");
    assert_eq!(hyperslab(directory.path(), &["recover", "run.h5"]).status, 0);
    assert_eq!(File::open(&path).unwrap().dataset("data").unwrap().read::<u8>().unwrap().len(), 4);
}

#[test]
fn recorded_frames_are_seen_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.h5");
    let filter = ["--filter", "shuffle+gzip:1"];
    let arguments = ["record", "out.h5/entry/frames", "--shape", "2,3", "--dtype", ">u2"];
    let mut record = Running::start(directory.path(), &[&arguments[..], &filter].concat());
    let frame: Vec<u8> = (0..6_u16).flat_map(u16::to_be_bytes).collect();
    record.send(&frame);
    let reader = loop {
        let opened = OpenOptions::new().swmr(true).open(&path);
        match opened.and_then(|file| Ok((file.dataset("entry/frames")?, file))) {
            Ok(reader) => break reader,
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let (data, file) = reader;
    let patience = Some(Duration::from_secs(120));
    assert!(data.wait(1, patience).unwrap().is_some());
    // Half a frame is no frame.
    record.send(&frame[..5]);
    assert!(data.wait(2, Some(Duration::from_millis(50))).unwrap().is_none());
    record.send(&frame[5..]);
    assert!(data.wait(2, patience).unwrap().is_some());
    let (out, err, status) = record.end();
    assert!(out.contains("/entry/frames [2, 2, 3]") && status == Some(0), "{out}{err}");
    data.refresh().unwrap();
    assert_eq!(file.writer_state().unwrap(), WriterState::Closed);
    assert_eq!(
        data.read::<u16>().unwrap().iter().copied().collect::<Vec<_>>(),
        [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]
    );
    drop((data, file));

    // More of the same fits, anything else does not.
    let mut more = Running::start(directory.path(), &arguments);
    more.send(&[&frame[..], &frame, &frame[..7]].concat());
    let (out, err, status) = more.end();
    assert!(
        out.contains("[4, 2, 3]") && err.contains("7 bytes of a frame of 12") && status == Some(1),
        "{out}{err}"
    );
    for (shape, dtype) in [("3,2", ">u2"), ("2,3", "<u2"), ("6", ">u2")] {
        let other = ["record", "out.h5/entry/frames", "--shape", shape, "--dtype", dtype];
        let run = hyperslab(directory.path(), &other);
        assert!(run.status == 1 && run.err.contains("hyperslab rm"), "{}", run.err);
    }
}

#[test]
fn what_cannot_be_recorded_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let old = OpenOptions::new().bounds(hyperslab::Bounds::Earliest).create(directory.path().join("old.h5"));
    old.unwrap().close().unwrap();
    let (_file, _data) = live(&directory.path().join("run.h5"));
    for (target, shape, dtype, way_out) in [
        ("new.h5", "2", "u2", "OUT/PATH"),
        ("new.h5/x", "2", "thing", "write u2"),
        ("new.h5/x", "2;2", "u2", "write 100,512,512"),
        ("new.h5/x", "0,2", "u2", "a frame needs elements"),
        ("old.h5/x", "2", "u2", "hyperslab repack old.h5"),
        ("run.h5/more", "2", "u2", "recover"),
    ] {
        let run = hyperslab(directory.path(), &["record", target, "--shape", shape, "--dtype", dtype]);
        assert!(run.status == 1 && run.err.contains(way_out), "{target}: {}", run.err);
    }
}

#[test]
fn an_interrupted_recording_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let mut record = Running::start(
        directory.path(),
        &["record", "--durable", "out.h5/n", "--shape", "1", "--dtype", "f8"],
    );
    record.send(&1.5_f64.to_le_bytes());
    let path = directory.path().join("out.h5");
    let follow =
        || OpenOptions::new().swmr(true).open(&path)?.dataset("n")?.wait(1, Some(Duration::from_secs(120)));
    while !matches!(follow(), Ok(Some(_))) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let process = record.child.id().to_string();
    // Waiting for a process ends its input, which ends a recording too.
    let input = record.child.stdin.take();
    assert!(Command::new("kill").args(["-INT", &process]).status().unwrap().success());
    let status = record.child.wait().unwrap();
    drop(input);
    assert_eq!(status.code(), Some(130));
    assert_eq!(
        File::open_rw(&path).unwrap().dataset("n").unwrap().read::<f64>().unwrap().as_slice().unwrap(),
        [1.5]
    );
}
