#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Keeps what a serving process has in memory, tokens among it, from landing on a disk.
enum ProcessHardening {
    /// Switches core files off. A `core_pattern` that pipes dumps to a program is the machine's to switch off. And whoever stops
    /// reading the access log does not end the process: writing fails, and is told.
    static func apply() {
        _ = signal(SIGPIPE, SIG_IGN)
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        #if canImport(Glibc)
        _ = setrlimit(__rlimit_resource_t(UInt32(RLIMIT_CORE.rawValue)), &none)
        #else
        _ = setrlimit(RLIMIT_CORE, &none)
        #endif
    }

    /// Ignores SIGHUP until the server listens and handles it: by default it would end the process.
    static func ignoreHangups() { _ = signal(SIGHUP, SIG_IGN) }
}
