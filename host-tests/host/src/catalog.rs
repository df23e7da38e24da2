//! The names of both sides of the ABI: what a guest can import, and the callbacks that it can export.
//!
//! Source: `include/proxy-wasm/exports.h` and `WasmBase::startVm` of proxy-wasm-cpp-host, and proxy-wasm's ABI 0.2.1.

use crate::profile::Version;

/// A function that a host provides, by its place in [`FUNCTIONS`].
pub(crate) type FunctionId = u8;

/// A function that a host provides.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// The first Envoy of those that this host knows to have it.
    pub(crate) since: Version,
    /// The first one that lets a guest call it while its VM starts, if any does.
    pub(crate) while_starting: Option<Version>,
    /// The first one that lets a guest call it while it allocates for the host, if any does.
    pub(crate) while_allocating: Option<Version>,
}

impl Function {
    /// Whether it is one of WASI's, which answer with error numbers of their own.
    pub(crate) fn is_wasi(&self) -> bool {
        !["proxy_", "pthread_", "emscripten_"].iter().any(|prefix| self.name.starts_with(prefix))
    }
}

const fn late(name: &'static str) -> Function {
    Function { name, since: Version::V1_36, while_starting: None, while_allocating: None }
}

/// Also while a VM starts.
const fn early(name: &'static str) -> Function {
    Function { while_starting: Some(Version::V1_36), ..late(name) }
}

/// Also while a VM starts and while the guest allocates.
const fn always(name: &'static str) -> Function {
    Function { while_allocating: Some(Version::V1_36), ..early(name) }
}

/// Provided since Envoy 1.39.
const fn newer(name: &'static str) -> Function {
    Function { since: Version::V1_39, while_starting: Some(Version::V1_39), ..late(name) }
}

/// Everything that an Envoy of some version provides to guests of ABI 0.2.1.
pub(crate) const FUNCTIONS: &[Function] = &[
    always("proxy_log"),
    late("proxy_get_log_level"),
    late("proxy_get_status"),
    late("proxy_get_property"),
    late("proxy_set_property"),
    late("proxy_send_local_response"),
    late("proxy_continue_stream"),
    late("proxy_close_stream"),
    late("proxy_get_shared_data"),
    late("proxy_set_shared_data"),
    late("proxy_register_shared_queue"),
    late("proxy_resolve_shared_queue"),
    late("proxy_dequeue_shared_queue"),
    late("proxy_enqueue_shared_queue"),
    late("proxy_get_header_map_value"),
    late("proxy_add_header_map_value"),
    late("proxy_replace_header_map_value"),
    late("proxy_remove_header_map_value"),
    late("proxy_get_header_map_pairs"),
    late("proxy_set_header_map_pairs"),
    late("proxy_get_header_map_size"),
    late("proxy_get_buffer_bytes"),
    late("proxy_get_buffer_status"),
    late("proxy_set_buffer_bytes"),
    late("proxy_http_call"),
    late("proxy_grpc_call"),
    late("proxy_grpc_stream"),
    late("proxy_grpc_send"),
    late("proxy_grpc_cancel"),
    late("proxy_grpc_close"),
    late("proxy_set_tick_period_milliseconds"),
    late("proxy_get_current_time_nanoseconds"),
    late("proxy_define_metric"),
    late("proxy_increment_metric"),
    late("proxy_record_metric"),
    late("proxy_get_metric"),
    late("proxy_set_effective_context"),
    late("proxy_done"),
    late("proxy_call_foreign_function"),
    late("pthread_equal"),
    Function { while_starting: Some(Version::V1_39), ..late("emscripten_notify_memory_growth") },
    always("fd_write"),
    late("fd_read"),
    late("fd_seek"),
    late("fd_close"),
    early("fd_fdstat_get"),
    early("fd_fdstat_set_flags"),
    early("environ_get"),
    early("environ_sizes_get"),
    early("args_get"),
    early("args_sizes_get"),
    always("clock_time_get"),
    early("random_get"),
    late("sched_yield"),
    Function { while_starting: Some(Version::V1_39), while_allocating: Some(Version::V1_39), ..late("poll_oneoff") },
    late("proc_exit"),
    late("path_open"),
    early("fd_prestat_get"),
    early("fd_prestat_dir_name"),
    newer("path_filestat_get"),
    newer("fd_filestat_get"),
    newer("fd_fdstat_set_rights"),
    newer("clock_res_get"),
    newer("fd_advise"),
    newer("fd_allocate"),
    newer("fd_datasync"),
    newer("fd_filestat_set_size"),
    newer("fd_filestat_set_times"),
    newer("fd_pread"),
    newer("fd_pwrite"),
    newer("fd_readdir"),
    newer("fd_renumber"),
    newer("fd_sync"),
    newer("fd_tell"),
    newer("path_create_directory"),
    newer("path_filestat_set_times"),
    newer("path_link"),
    newer("path_readlink"),
    newer("path_remove_directory"),
    newer("path_rename"),
    newer("path_symlink"),
    newer("path_unlink_file"),
    newer("sock_accept"),
    newer("sock_recv"),
    newer("sock_send"),
    newer("sock_shutdown"),
];

/// The function of that name.
pub(crate) fn find(name: &str) -> Option<FunctionId> {
    FUNCTIONS.iter().position(|function| function.name == name).and_then(|index| FunctionId::try_from(index).ok())
}

/// The function of that number, which came from [`find`].
pub(crate) fn function(id: FunctionId) -> &'static Function {
    &FUNCTIONS[usize::from(id)]
}

/// The callbacks that this host makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Callback {
    Initialize,
    Main,
    MainVoid,
    Start,
    ContextCreate,
    VmStart,
    Configure,
    Tick,
    QueueReady,
    RequestHeaders,
    RequestBody,
    RequestTrailers,
    ResponseHeaders,
    ResponseBody,
    ResponseTrailers,
    HttpCallResponse,
    GrpcInitialMetadata,
    GrpcReceive,
    GrpcTrailingMetadata,
    GrpcClose,
    Log,
    Done,
    Delete,
}

/// The names of the callbacks, in the order of [`Callback`], with the number of their arguments and of their results.
pub(crate) const CALLBACKS: [(&str, u8, u8); 23] = [
    ("_initialize", 0, 0),
    ("main", 2, 1),
    ("__main_void", 0, 1),
    ("_start", 0, 0),
    ("proxy_on_context_create", 2, 0),
    ("proxy_on_vm_start", 2, 1),
    ("proxy_on_configure", 2, 1),
    ("proxy_on_tick", 1, 0),
    ("proxy_on_queue_ready", 2, 0),
    ("proxy_on_request_headers", 3, 1),
    ("proxy_on_request_body", 3, 1),
    ("proxy_on_request_trailers", 2, 1),
    ("proxy_on_response_headers", 3, 1),
    ("proxy_on_response_body", 3, 1),
    ("proxy_on_response_trailers", 2, 1),
    ("proxy_on_http_call_response", 5, 0),
    ("proxy_on_grpc_receive_initial_metadata", 3, 0),
    ("proxy_on_grpc_receive", 3, 0),
    ("proxy_on_grpc_receive_trailing_metadata", 3, 0),
    ("proxy_on_grpc_close", 3, 0),
    ("proxy_on_log", 1, 0),
    ("proxy_on_done", 1, 1),
    ("proxy_on_delete", 1, 0),
];

impl Callback {
    /// As the guest exports it.
    pub(crate) fn name(self) -> &'static str {
        CALLBACKS[self as usize].0
    }
}
