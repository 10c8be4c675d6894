import ArgumentParser
import Foundation
import Keybearer
import KeybearerServer
import Logging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

extension WebhookCommand {
    /// `keybearer webhook listen`: needs no database and no master keys.
    struct Listen: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "listen",
            abstract: "Receive messages on this machine, check their signatures and print them, until Ctrl-C.",
            discussion: """
                For development. Each message is a line with the time, the event, the message's id and whether the
                signature is right, and a second line with the body. Messages may have any path.

                A server sends messages to http://127.0.0.1 only with --webhook-allowed-networks 127.0.0.1/32.
                """)
        @Option(name: .long, help: "The port on 127.0.0.1 to listen on; 0 takes a free one.") var port: Int
        @OptionGroup var secret: WebhookSecretInput
        @Option(
            name: .long, help: "Respond with this status, 300 to 599, and not with 204: the sender then tries again.")
        var fail: Int?

        func validate() throws {
            guard (0...65_535).contains(port) else { throw ValidationError("--port is \(port); it is 0 to 65535.") }
            if let fail, !(300...599).contains(fail) {
                throw ValidationError("--fail is \(fail); it is a status from 300 to 599.")
            }
        }

        func run() async throws {
            ProcessHardening.apply()
            let secret = try secret.read()
            let printer = MessagePrinter()
            let listener = WebhookListener(
                port: port, status: fail ?? 204, logger: Self.quietLogger,
                onListening: { port in
                    Console.report("Listening on http://\(WebhookListener.host):\(port)\nStop with Ctrl-C.")
                },
                onArrival: { arrival in
                    await printer.print(
                        ReceivedWebhook(body: arrival.body, secret: secret, arrivedAt: Clocks.system.wall()) {
                            arrival.headers[$0]
                        })
                }, onRefusal: { Console.report("\(Clocks.system.wall())  \($0)") })
            do {
                try await listener.run()
            } catch {
                let place = "\(WebhookListener.host):\(port)"
                if let problem = ListenProblem.find(.network(host: WebhookListener.host, port: port)) {
                    throw CommandFailure(.unavailable, "cannot listen on \(place) (--port): \(problem)")
                }
                throw CommandFailure(.unavailable, "the receiver failed: \(error)")
            }
        }

        /// What the library would log is in the messages that are printed, or in the error.
        private static var quietLogger: Logger {
            let makeHandler: (String) -> any LogHandler = { TextLogHandler(label: $0) }
            var logger = Logger(label: "keybearer", factory: makeHandler)
            logger.logLevel = .critical
            return logger
        }
    }
}

/// Prints one message after another: the lines of two that arrive together do not mix.
private actor MessagePrinter {
    func print(_ message: ReceivedWebhook) { Console.output(message.text) }
}

/// Where a command takes a webhook's secret from. Never from an argument: others on the machine can read those.
struct WebhookSecretInput: ParsableArguments {
    @Option(
        name: .customLong("secret-file"),
        help: "A file whose first line is the webhook's secret. Without it, the secret is read from standard input.")
    var secretFile: String?

    /// Reads the secret; prompts without echo where a person is at the keyboard.
    func read() throws -> WebhookSecret {
        let (text, place) = try line()
        guard let secret = WebhookSecret(text) else {
            throw CommandFailure(
                .dataError,
                "\(place) is no webhook secret: copy it whole, with whsec_, as 'keybearer webhook add' printed it")
        }
        return secret
    }

    private func line() throws -> (text: String, place: String) {
        if let secretFile {
            guard let data = FileManager.default.contents(atPath: secretFile) else {
                throw CommandFailure(.noInput, "\(secretFile) cannot be read")
            }
            return (Self.firstLine(of: String(decoding: data, as: UTF8.self)), "the first line of \(secretFile)")
        }
        if isatty(STDIN_FILENO) == 1 {
            guard let typed = getpass("Webhook secret: ") else {
                throw CommandFailure(.noInput, "no secret was typed")
            }
            return (Self.firstLine(of: String(cString: typed)), "what was typed")
        }
        guard let line = readLine(strippingNewline: true) else {
            throw CommandFailure(.noInput, "standard input has no secret on its first line")
        }
        return (Self.firstLine(of: line), "the first line of standard input")
    }

    /// Without white space at its ends, and without the byte order mark of a file.
    private static func firstLine(of text: String) -> String {
        let line = text.split(whereSeparator: \.isNewline).first.map { String($0) } ?? ""
        return line.trimmingCharacters(in: .whitespaces.union(CharacterSet(charactersIn: "\u{FEFF}")))
    }
}
