//! What the store asks of the disk, seen at the system calls: each commit is synced before it is answered, and a file that cannot be
//! written is noticed.

use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use wallet_api::fomo::CoinId;
use wallet_platform::{Platform, PutCoin, SessionUser};
use wallet_tests::TestStore;

/// fdatasync and fsync of threads that write to a store, in this process.
static SYNCS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static IS_WRITER: bool = std::thread::current().name() == Some("wallop-fsync-test");
}

fn counted(fd: libc::c_int, call: libc::c_long) -> libc::c_int {
    if IS_WRITER.with(|is| *is) {
        SYNCS.fetch_add(1, Ordering::SeqCst);
    }
    // SAFETY: the plain system call with the caller's own file descriptor.
    unsafe { libc::syscall(call, fd) as libc::c_int }
}

// SAFETY of both: they replace libc's functions of the same signature and do the same.
#[unsafe(no_mangle)]
extern "C" fn fdatasync(fd: libc::c_int) -> libc::c_int {
    counted(fd, libc::SYS_fdatasync)
}

#[unsafe(no_mangle)]
extern "C" fn fsync(fd: libc::c_int) -> libc::c_int {
    counted(fd, libc::SYS_fsync)
}

#[test]
fn every_commit_is_one_fdatasync_and_none_is_skipped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(TestStore::sqlite(&path, 1));
    let session = world.users[0].1;
    let (clock, vault) = (world.clock.clone(), world.store.vault().clone());
    drop(world);
    // The same engine and connection settings on a thread of this test's own name, so that other tests do not count.
    let count = move || {
        let mut database = wallet_store::Database::<Platform>::open(&path, wallet_store::WALLOP).unwrap();
        let mut engine = database.engine(vault).unwrap();
        // The first commit also makes the log file, which costs syncs of its own.
        clock.advance(std::time::Duration::from_secs(1));
        let now = || wallet_store::Clock::now(&*clock);
        engine.batch(&now, [wallet_engine::job(SessionUser(session)).0]).unwrap();
        let before = SYNCS.load(Ordering::SeqCst);
        assert!(before > 0, "the system call is seen");
        for commit in 1..=100_u64 {
            clock.advance(std::time::Duration::from_secs(1)); // so that each use changes the session's row
            let jobs = (0..commit % 5 + 1).map(|_| wallet_engine::job(SessionUser(session)).0);
            engine.batch(&now, jobs).unwrap();
            assert_eq!(SYNCS.load(Ordering::SeqCst) - before, commit, "one sync a commit, whatever its size");
        }
    };
    std::thread::Builder::new().name("wallop-fsync-test".into()).spawn(count).unwrap().join().unwrap();
}

/// A descriptor of the database file that cannot be written while `FAILS` is set.
static FILE: AtomicI32 = AtomicI32::new(-1);
static FAILS: AtomicBool = AtomicBool::new(false);

/// Sets errno, if a write to this descriptor has to fail.
fn fails(fd: libc::c_int) -> bool {
    let name = |fd: libc::c_int| std::fs::read_link(format!("/proc/self/fd/{fd}")).ok();
    let fails = FAILS.load(Ordering::SeqCst)
        && name(fd).is_some_and(|path| Some(path) == name(FILE.load(Ordering::SeqCst)));
    if fails {
        // SAFETY: the thread's own errno.
        unsafe { *libc::__errno_location() = libc::EIO };
    }
    fails
}

// SAFETY of these: they replace libc's functions of the same signature and do the same, or fail as a disk does.
#[unsafe(no_mangle)]
extern "C" fn pwrite64(fd: libc::c_int, from: *const libc::c_void, count: usize, at: i64) -> isize {
    // SAFETY: the plain system call with the caller's own arguments.
    if fails(fd) { -1 } else { unsafe { libc::syscall(libc::SYS_pwrite64, fd, from, count, at) as isize } }
}

#[unsafe(no_mangle)]
extern "C" fn pwrite(fd: libc::c_int, from: *const libc::c_void, count: usize, at: i64) -> isize {
    pwrite64(fd, from, count, at)
}

#[unsafe(no_mangle)]
extern "C" fn write(fd: libc::c_int, from: *const libc::c_void, count: usize) -> isize {
    // SAFETY: the plain system call with the caller's own arguments.
    if fails(fd) { -1 } else { unsafe { libc::syscall(libc::SYS_write, fd, from, count) as isize } }
}

/// The log takes 160 MiB at most while the file cannot be written (SQLite alone ignores a failed checkpoint:
/// https://www.sqlite.org/c3ref/wal_autocheckpoint.html), nothing that was acknowledged is lost, and the store goes on afterwards.
#[tokio::test]
async fn failed_checkpoints_are_counted_and_the_log_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let world = TestStore::sqlite(&path, 1).await;
    let file = std::fs::File::open(&path).unwrap();
    FILE.store(file.as_raw_fd(), Ordering::SeqCst);
    let known = world.store.view(wallet_platform::ActiveCoins).await.unwrap()[0].clone();
    let put = async |id: u64| {
        let mut coin = known.clone();
        (coin.id, coin.description) = (CoinId::new(id), "x".repeat(1 << 20));
        world.store.submit(PutCoin(coin)).await
    };
    let megabytes = || std::fs::metadata(directory.path().join("db-wal")).unwrap().len() >> 20;

    FAILS.store(true, Ordering::SeqCst);
    let mut ids = 100_u64..;
    let mut acknowledged = Vec::new();
    let refused = loop {
        let id = ids.next().unwrap();
        match put(id).await {
            Ok(()) => acknowledged.push(id),
            Err(refused) => break refused,
        }
        assert!(acknowledged.len() < 200, "the log has {} MiB", megabytes());
    };
    assert!(refused.to_string().contains("the log of the database has"), "{refused}");
    let measured = world.store.measured();
    assert!(measured.failed_checkpoints > 1 && measured.log_pages >= 40_000, "{measured:?}");
    assert!((150..170).contains(&megabytes()), "{} MiB", megabytes());
    for _ in 0..20 {
        put(ids.next().unwrap()).await.unwrap_err();
    }
    assert!(megabytes() < 170, "a refused command writes nothing: {} MiB", megabytes());
    assert!(world.store.broken().is_none() && world.store.since_failure().is_some());

    FAILS.store(false, Ordering::SeqCst);
    let first = ids.next().unwrap();
    for id in std::iter::once(first).chain(ids.by_ref().take(50)) {
        put(id).await.unwrap();
        acknowledged.push(id);
    }
    assert!(world.store.measured().log_pages < 15_000, "{:?}", world.store.measured());
    let coins = world.store.view(wallet_platform::ActiveCoins).await.unwrap();
    let kept: Vec<u64> = coins.iter().map(|coin| coin.id.get()).filter(|id| *id >= 100).collect();
    assert_eq!(kept, acknowledged);
}
