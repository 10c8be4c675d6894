import Keybearer
import Logging
import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a listener does when no connection can be accepted because the process has as many files open as it may.
enum FileShortage {
    private static let pause: TimeAmount = .milliseconds(200)

    /// A handler for a listening channel: tries again a little later, instead of all the time, and says so once a minute.
    static func makeHandler(listener: String, logger: Logger) -> AcceptBackoffHandler {
        var lastLine: SteadyTime?
        return AcceptBackoffHandler(shouldForwardIOErrorCaught: false) { error in
            guard [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(error.errnoCode) else { return nil }
            let now = SteadyTime.systemNow()
            if lastLine.map({ $0.duration(to: now) >= .seconds(60) }) ?? true {
                lastLine = now
                logger.error(
                    "No connection can be accepted: the process has as many files open as it may. Raise its limit (ulimit -n).",
                    metadata: ["listener": "\(listener)"])
            }
            return pause
        }
    }
}
