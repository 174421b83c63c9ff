//! The figures of `cargo bench`, as a page with a plot.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::{Outcome, root};

const BENCHES: &[(&str, &str)] = &[
    ("signing", "Signing"),
    ("constant_time", "Whether the time of a private operation depends on secrets"),
    ("encoding", "Encoding"),
    ("platform", "Transfers through the store"),
    ("postgres", "Transfers through the store on PostgreSQL"),
    ("callbacks", "Callbacks"),
    ("server", "The server over keep-alive connections"),
];

/// How the row of the build's time begins.
const BUILD_ROW: &str = "| clean release build of `wallop`, dependencies included |";

pub(crate) fn run(build: bool) -> Outcome {
    let mut page = String::from(
        "<!-- Made by cargo xtask report from the JSON of cargo bench. Do not edit. -->\n\n# Performance\n\n",
    );
    let _ = writeln!(
        page,
        "Every figure compares within one run, on one machine: {}. Rounds are interleaved; the median comes first, the \
         quartiles in brackets. Absolute figures of another machine will differ; ratios less so.\n",
        machine()
    );
    page.push_str("![Transfers a second](performance.svg)\n");
    let mut missing = Vec::new();
    for (name, title) in BENCHES {
        let Ok(text) = std::fs::read_to_string(root().join("benches/out").join(format!("{name}.json")))
        else {
            missing.push(*name);
            continue;
        };
        let figures: Value = serde_json::from_str(&text).map_err(|error| format!("{name}.json: {error}"))?;
        let figures = figures.as_array().cloned().unwrap_or_default();
        let _ = writeln!(
            page,
            "\n## {title}\n\n`cargo bench --bench {name}`\n\n| what | median | unit | allocations | |\n|---|---|---|---|---|"
        );
        for figure in &figures {
            let number = |key: &str| shown(figure[key].as_f64().unwrap_or_default());
            let allocations = figure["allocations"].as_f64().map(shown).unwrap_or_default();
            let text = |key: &str| figure[key].as_str().unwrap_or_default().to_owned();
            let (name, unit, note) = (text("name"), text("unit"), text("note"));
            let _ = writeln!(
                page,
                "| {name} | **{}** [{} – {}] | {unit} | {allocations} | {note} |",
                number("median"),
                number("q1"),
                number("q3")
            );
        }
        if *name == "platform" {
            write("docs/performance.svg", &plot(&figures))?;
        }
    }
    if !missing.is_empty() {
        return Err(format!("no figures of {}: run `cargo bench` first", missing.join(", ")));
    }
    page.push_str(&program(build)?);
    write("docs/performance.md", &page)
}

fn write(path: &str, text: &str) -> Outcome {
    std::fs::write(root().join(path), text).map_err(|error| format!("cannot write {path}: {error}"))?;
    println!("wrote {path}");
    Ok(())
}

fn shown(number: f64) -> String {
    match number {
        n if n >= 1000.0 => format!("{n:.0}"),
        n if n >= 10.0 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name.to_owned()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {}", model.unwrap_or_else(|| "an unnamed processor".to_owned()))
}

/// Start-up time and idle memory of the release build, and how long that takes to build when asked.
fn program(build: bool) -> Result<String, String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut text = String::from("\n## The program\n\n| what | figure |\n|---|---|\n");
    if build {
        let target = std::env::temp_dir().join(format!("wallop-build-{}", std::process::id()));
        println!("building from nothing into {} …", target.display());
        let began = Instant::now();
        let done = Command::new("cargo")
            .args(["build", "--release", "--quiet", "-p", "wallet-cli", "--target-dir"])
            .arg(&target)
            .current_dir(root())
            .status()
            .map_err(failed)?;
        let took = began.elapsed();
        let _ = std::fs::remove_dir_all(&target);
        if !done.success() {
            return Err("the release build failed".to_owned());
        }
        let _ = writeln!(text, "{BUILD_ROW} {} s |", took.as_secs());
    } else if let Some(row) = std::fs::read_to_string(root().join("docs/performance.md"))
        .unwrap_or_default()
        .lines()
        .find(|line| line.starts_with(BUILD_ROW))
    {
        // It takes minutes: the figure of the page before stays, and says so.
        let before = " (of an earlier run)";
        let row = row.replace(before, "");
        let _ = writeln!(text, "{}{before} |", row.trim_end_matches(" |"));
    }
    let done = Command::new("cargo")
        .args(["build", "--release", "--quiet", "-p", "wallet-cli"])
        .current_dir(root())
        .status();
    if !done.map_err(failed)?.success() {
        return Err("the release build failed".to_owned());
    }
    let (mut starts, mut memory) = (Vec::new(), 0);
    for _ in 0..7 {
        let began = Instant::now();
        let mut child = Command::new(root().join("target/release/wallop"))
            .args(["dev", "--json", "--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line).map_err(failed)?;
        }
        starts.push(began.elapsed().as_millis());
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
        memory = resident.unwrap_or(memory);
        let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        stopped.map_err(failed)?;
        child.wait().map_err(failed)?;
    }
    starts.sort_unstable();
    let (median, least, most) = (starts[starts.len() / 2], starts[0], starts[starts.len() - 1]);
    let _ = writeln!(
        text,
        "| `wallop dev` ready on a new directory, seven starts | {median} ms [{least} – {most}] |"
    );
    let _ = writeln!(text, "| its memory when idle, resident | {} MiB |", memory / 1024);
    Ok(text)
}

/// Transfers a second as bars, one row a figure.
fn plot(figures: &[Value]) -> String {
    let rates: Vec<(&str, f64, f64, f64)> = figures
        .iter()
        .filter(|figure| figure["unit"] == "transfers/s")
        .filter_map(|figure| {
            let number = |key: &str| figure[key].as_f64();
            Some((figure["name"].as_str()?, number("q1")?, number("median")?, number("q3")?))
        })
        .collect();
    let most = rates.iter().map(|(.., q3)| *q3).fold(1.0, f64::max);
    let (left, wide, row) = (400.0, 420.0, 26.0);
    let height = rates.len() as f64 * row + 46.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 930 {height}\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n\
         <rect width=\"930\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"22\" font-weight=\"600\">Transfers a second, SQLite with synchronous=FULL (median, quartiles as whiskers)</text>\n"
    );
    for (at, (name, q1, median, q3)) in rates.iter().enumerate() {
        let y = at as f64 * row + 36.0;
        let x = |value: f64| left + value / most * wide;
        let colour = if name.contains("plain") { "#9aa5b1" } else { "#2563eb" };
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{left}\" y=\"{:.0}\" width=\"{:.1}\" height=\"16\" rx=\"2\" fill=\"{colour}\"/>\
             <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{:.0}\" y2=\"{:.0}\" stroke=\"#111827\" stroke-width=\"1.5\"/>\
             <text x=\"{:.1}\" y=\"{:.0}\">{median:.0}</text>",
            left - 8.0,
            y + 13.0,
            y,
            x(*median) - left,
            x(*q1),
            x(*q3),
            y + 8.0,
            y + 8.0,
            x(*q3) + 8.0,
            y + 13.0
        );
    }
    svg.push_str("</svg>\n");
    svg
}
