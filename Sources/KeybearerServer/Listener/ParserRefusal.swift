import HTTPTypes
import Keybearer
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// Puts the envelope into the answers that the HTTP/1 library gives by itself.
///
/// When a request cannot be parsed (oversized or too many headers, control bytes, an unknown method), the library writes
/// an empty 400 and closes. This handler stands in its way and writes the same refusal as every other.
final class ParserRefusal: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var hasFailed = false
    private var hasRefused = false

    /// How long a refused client may take to read its answer.
    private static let linger: TimeAmount = .seconds(1)

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError || error is HTTP1TypeConversionError else {
            return context.fireErrorCaught(error)
        }
        hasFailed = true
        // The library answers only this kind of error; the other would just close the connection.
        context.fireErrorCaught(error is HTTPParserError ? error : HTTPParserError.unknown)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head) where isLibraryRefusal(head):
            hasRefused = true
            let answer = Envelope.refusal(
                .badRequest, message: "The request could not be read: its headers are malformed, too large or too many."
            )
            var fields = answer.fields
            fields[.connection] = "close"
            let body = context.channel.allocator.buffer(bytes: answer.body)
            context.write(wrapOutboundOut(.head(HTTPResponse(status: .badRequest, headerFields: fields))), promise: nil)
            context.write(wrapOutboundOut(.body(body)), promise: promise)
        case .end where hasRefused:
            context.writeAndFlush(data, promise: promise)
            // Closed a moment later and not at once: what is still unread would turn the close into a reset, and that
            // can overtake the answer. The library itself would wait for the client, or for the idle timeout.
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            context.eventLoop.scheduleTask(in: Self.linger) { bound.value.close(promise: nil) }
        default:
            context.write(data, promise: promise)
        }
    }

    /// Ours always have a body or another status; the library's 400 is empty and closes.
    private func isLibraryRefusal(_ head: HTTPResponse) -> Bool {
        hasFailed && head.status == .badRequest && head.headerFields[.contentLength] == "0"
            && head.headerFields[.connection] == "close"
    }
}
