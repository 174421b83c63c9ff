//! Each commit is synced to disk before it is answered: counted at the system call itself.

use std::sync::atomic::{AtomicU64, Ordering};

use wallet_platform::{Platform, SessionUser};
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
