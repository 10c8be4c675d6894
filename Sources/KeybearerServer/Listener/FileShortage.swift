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

/// Is in a listening channel: when no connection can be accepted because the process has as many files open as it may,
/// it stops accepting for a moment, instead of trying all the time, and says so once a minute.
///
/// The library's handler for this delays its reads, and the kernel goes on waking the loop. The bounds of
/// ``ConnectionRegistry`` keep it from coming so far: without files, more than accepting fails.
final class FileShortage: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private static let pause: TimeAmount = .milliseconds(200)

    private let listener: String
    private let clocks: Clocks
    private let logger: Logger
    private var lastLine: SteadyTime?

    init(listener: String, clocks: Clocks, logger: Logger) {
        self.listener = listener
        self.clocks = clocks
        self.logger = logger
    }

    private static func problem(_ code: CInt) -> String {
        switch code {
        case EMFILE: "the process has no files left: raise its limit (ulimit -n)"
        case ENFILE: "the system has no files left: raise fs.file-max"
        default: String(cString: strerror(code))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError else { return context.fireErrorCaught(error) }
        // Others, such as a client that is gone again, are that connection's alone.
        guard [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(error.errnoCode) else { return }
        let now = clocks.steady()
        if lastLine.map({ $0.duration(to: now) >= .seconds(60) }) ?? true {
            lastLine = now
            logger.error(
                "No connection can be accepted.",
                metadata: ["listener": "\(listener)", "problem": "\(Self.problem(error.errnoCode))"])
        }
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: Self.pause) {
            try? bound.value.channel.syncOptions?.setOption(.autoRead, value: true)
        }
    }
}
