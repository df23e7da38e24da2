//! WASI's functions for files and sockets. No host has either, so all that differs is how each says so. Where Envoy's
//! signature is not the one of WASI (`path_link`, `path_symlink`), it is Envoy's here, too: such an import does not link.

use wasmtime::Linker;

use super::wasi::{EBADF, ENOSYS, ENOTSUP, fd_write};
use super::{Call, HostCall};
use crate::status::{Answer, Refusal};
use crate::vm::state::State;

const ENOENT: u32 = 44;
const ENOTDIR: u32 = 20;

pub(super) fn link(linker: &mut Linker<State>, module: &str) -> wasmtime::Result<()> {
    descriptors(linker, module)?;
    positions(linker, module)?;
    paths(linker, module)?;
    sockets(linker, module)
}

fn no(errno: u32) -> Answer {
    Err(Refusal::Number(errno))
}

/// Standard output and error are there, and nothing can be done to them.
fn if_standard(file: u32) -> Answer {
    if matches!(file, 1 | 2) { Ok(()) } else { no(EBADF) }
}

fn descriptors(linker: &mut Linker<State>, module: &str) -> wasmtime::Result<()> {
    let fdstat_get = |call: &mut Call<'_>, file: u32, to: u32| {
        if_standard(file)?;
        let writable = [0_u64, 64, 0].map(u64::to_le_bytes).concat();
        // Whether the pointer leads anywhere is not looked at.
        call.put(to, &writable).or(Ok(()))
    };
    fdstat_get.provide(linker, module, "fd_fdstat_get")?;
    (|_: &mut Call<'_>, _: u32, _: u32| no(ENOSYS)).provide(linker, module, "fd_fdstat_set_flags")?;
    (|_: &mut Call<'_>, file: u32, _: u64, _: u64| if_standard(file)).provide(
        linker,
        module,
        "fd_fdstat_set_rights",
    )?;
    (|_: &mut Call<'_>, _: u32| Ok(())).provide(linker, module, "fd_close")?;
    (|_: &mut Call<'_>, file: u32| if_standard(file)).provide(linker, module, "fd_datasync")?;
    (|_: &mut Call<'_>, file: u32| if_standard(file)).provide(linker, module, "fd_sync")?;
    (|_: &mut Call<'_>, _: u32, _: u32| no(EBADF)).provide(linker, module, "fd_filestat_get")?;
    (|_: &mut Call<'_>, file: u32, _: u64| if_standard(file)).provide(linker, module, "fd_filestat_set_size")?;
    let set_times = |_: &mut Call<'_>, file: u32, _: u64, _: u64, _: u32| if_standard(file);
    set_times.provide(linker, module, "fd_filestat_set_times")?;
    (|_: &mut Call<'_>, _: u32, _: u32| no(EBADF)).provide(linker, module, "fd_prestat_get")?;
    (|_: &mut Call<'_>, _: u32, _: u32, _: u32| no(ENOSYS)).provide(linker, module, "fd_prestat_dir_name")?;
    let renumber = |_: &mut Call<'_>, from: u32, to: u32| {
        if_standard(from)?;
        if_standard(to)?;
        no(ENOTSUP)
    };
    renumber.provide(linker, module, "fd_renumber")
}

fn positions(linker: &mut Linker<State>, module: &str) -> wasmtime::Result<()> {
    (|_: &mut Call<'_>, _: u32, _: u32, _: u32, _: u32| no(ENOSYS)).provide(linker, module, "fd_read")?;
    (|_: &mut Call<'_>, _: u32, _: i64, _: u32, _: u32| Ok(())).provide(linker, module, "fd_seek")?;
    let tell = |call: &mut Call<'_>, file: u32, to: u32| {
        if_standard(file)?;
        call.put_u64(to, 0)
    };
    tell.provide(linker, module, "fd_tell")?;
    (|_: &mut Call<'_>, _: u32, _: u64, _: u64, _: u32| Ok(())).provide(linker, module, "fd_advise")?;
    (|_: &mut Call<'_>, file: u32, _: u64, _: u64| if_standard(file)).provide(linker, module, "fd_allocate")?;
    (|_: &mut Call<'_>, _: u32, _: u32, _: u32, _: u64, _: u32| no(ENOSYS)).provide(linker, module, "fd_pread")?;
    let pwrite = |call: &mut Call<'_>, file: u32, pieces: u32, count: u32, _: u64, to: u32| {
        fd_write(call, file, pieces, count, to)
    };
    pwrite.provide(linker, module, "fd_pwrite")?;
    let readdir = |call: &mut Call<'_>, _: u32, _: u32, _: u32, _: u64, to: u32| {
        call.put_u32(to, 0)?;
        no(ENOTDIR)
    };
    readdir.provide(linker, module, "fd_readdir")
}

fn paths(linker: &mut Linker<State>, module: &str) -> wasmtime::Result<()> {
    let open = |_: &mut Call<'_>, _: u32, _: u32, _: u32, _: u32, _: u32, _: i64, _: i64, _: u32, _: u32| no(ENOENT);
    open.provide(linker, module, "path_open")?;
    let five = |_: &mut Call<'_>, _: u32, _: u32, _: u32, _: u32, _: u32| no(ENOTSUP);
    five.provide(linker, module, "path_filestat_get")?;
    let set_times = |_: &mut Call<'_>, _: u32, _: u32, _: u32, _: u32, _: u64, _: u64, _: u32| no(ENOTSUP);
    set_times.provide(linker, module, "path_filestat_set_times")?;
    let three = |_: &mut Call<'_>, _: u32, _: u32, _: u32| no(ENOTSUP);
    for name in ["path_create_directory", "path_remove_directory", "path_unlink_file"] {
        three.provide(linker, module, name)?;
    }
    let six = |_: &mut Call<'_>, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32| no(ENOTSUP);
    for name in ["path_link", "path_rename"] {
        six.provide(linker, module, name)?;
    }
    (|_: &mut Call<'_>, _: u32, _: u32, _: u32, _: u32| no(ENOTSUP)).provide(linker, module, "path_symlink")?;
    let readlink = |call: &mut Call<'_>, _: u32, _: u32, _: u32, _: u32, _: u32, to: u32| {
        call.put_u32(to, 0)?;
        no(ENOTSUP)
    };
    readlink.provide(linker, module, "path_readlink")
}

fn sockets(linker: &mut Linker<State>, module: &str) -> wasmtime::Result<()> {
    let accept = |call: &mut Call<'_>, _: u32, _: u32, to: u32| {
        call.put_u64(to, 0)?;
        no(ENOTSUP)
    };
    accept.provide(linker, module, "sock_accept")?;
    let receive = |call: &mut Call<'_>, _: u32, _: u32, _: u32, _: u32, to: u32, to_flags: u32| {
        call.put_u32(to, 0)?;
        call.put(to_flags, &[0, 0])?;
        no(ENOTSUP)
    };
    receive.provide(linker, module, "sock_recv")?;
    let send = |call: &mut Call<'_>, _: u32, _: u32, _: u32, _: u32, to: u32| {
        call.put_u32(to, 0)?;
        no(ENOTSUP)
    };
    send.provide(linker, module, "sock_send")?;
    (|_: &mut Call<'_>, _: u32, _: u32| no(ENOTSUP)).provide(linker, module, "sock_shutdown")
}
