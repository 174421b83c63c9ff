//! What the benchmarks share: a counting allocator, interleaved rounds, medians and quartiles, JSON.

pub mod people;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

/// Counts allocations; otherwise the system's allocator.
pub struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

/// How many rounds are interleaved.
pub const ROUNDS: usize = 15;

/// One figure of one subject.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// In what unit.
    pub unit: &'static str,
    /// First quartile over the rounds.
    pub q1: f64,
    /// Median over the rounds.
    pub median: f64,
    /// Third quartile over the rounds.
    pub q3: f64,
    /// Allocations an operation; none where they were not counted.
    pub allocations: Option<f64>,
    /// Whatever else belongs to it.
    pub note: String,
}

impl Figure {
    /// Of the values of all rounds.
    pub fn of(name: impl Into<String>, unit: &'static str, mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |part: usize| values[(values.len() - 1) * part / 4];
        Self {
            name: name.into(),
            unit,
            q1: at(1),
            median: at(2),
            q3: at(3),
            allocations: None,
            note: String::new(),
        }
    }
}

/// Something to be timed: a name and one operation.
pub struct Subject<'s> {
    name: &'static str,
    run: Box<dyn FnMut() + 's>,
}

/// A subject whose result is kept from being optimised away.
pub fn subject<'s, T>(name: &'static str, mut run: impl FnMut() -> T + 's) -> Subject<'s> {
    Subject { name, run: Box::new(move || drop(black_box(run()))) }
}

/// Times subjects in interleaved rounds: nanoseconds and allocations an operation.
pub fn interleaved(mut subjects: Vec<Subject<'_>>) -> Vec<Figure> {
    let mut repeats = Vec::new();
    for subject in &mut subjects {
        let (began, mut count) = (Instant::now(), 0_u64);
        while began.elapsed() < Duration::from_millis(20) {
            (subject.run)();
            count += 1;
        }
        repeats.push(count.max(1));
    }
    let mut nanos: Vec<Vec<f64>> = subjects.iter().map(|_| Vec::new()).collect();
    let mut allocations = vec![0.0; subjects.len()];
    for _ in 0..ROUNDS {
        for (at, subject) in subjects.iter_mut().enumerate() {
            let before = ALLOCATIONS.load(Ordering::Relaxed);
            let began = Instant::now();
            for _ in 0..repeats[at] {
                (subject.run)();
            }
            nanos[at].push(began.elapsed().as_nanos() as f64 / repeats[at] as f64);
            allocations[at] = (ALLOCATIONS.load(Ordering::Relaxed) - before) as f64 / repeats[at] as f64;
        }
    }
    let figures = subjects.iter().zip(nanos).zip(allocations);
    figures
        .map(|((subject, nanos), allocations)| Figure {
            allocations: Some(allocations),
            ..Figure::of(subject.name, "ns", nanos)
        })
        .collect()
}

/// Allocations of one run, when nothing else runs.
pub fn allocations(mut run: impl FnMut()) -> f64 {
    run(); // what is kept from the first time on
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..16 {
        run();
    }
    (ALLOCATIONS.load(Ordering::Relaxed) - before) as f64 / 16.0
}

/// Prints figures, and writes them to `benches/out/NAME.json`.
pub fn report(name: &str, figures: &[Figure]) {
    show(figures);
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("out");
    let text = serde_json::to_string_pretty(figures).expect("figures are plain");
    std::fs::create_dir_all(&directory).expect("benches/out can be made");
    std::fs::write(directory.join(format!("{name}.json")), text + "\n").expect("benches/out can be written");
}

/// Prints figures.
pub fn show(figures: &[Figure]) {
    for figure in figures {
        let allocations =
            figure.allocations.map_or_else(String::new, |count| format!("  {count:.2} allocations"));
        println!(
            "{:<60} {:>12.1} {} (quartiles {:.1} to {:.1}){allocations}  {}",
            figure.name, figure.median, figure.unit, figure.q1, figure.q3, figure.note
        );
    }
}
