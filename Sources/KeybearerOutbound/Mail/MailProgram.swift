import Foundation
import Keybearer

/// Hands mails to a program of the `sendmail -t -i` convention, which every mail server and msmtp have: the mail comes on
/// its standard input, the recipient is in the mail's own headers.
///
/// No shell is involved, and nothing of a mail is in an argument or in the environment. The program has a time and may
/// say a limited number of bytes, which the outbox keeps for the operator.
package struct MailProgram: MailTransport {
    /// How long the program may take.
    static let patience: Duration = .seconds(30)
    /// How many bytes of what it says are kept.
    static let mostOutput = 1_024

    /// An absolute path, and the words behind it.
    private let words: [String]

    /// - Parameter words: an absolute path, and the arguments before `-t -i`.
    package init(words: [String]) {
        self.words = words
    }

    package func send(_ message: [UInt8]) async throws(MailFailure) {
        let (words, patience) = (words, Self.patience)
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result<Void, MailFailure>, Never>) in
            // A thread of its own: it waits for the program.
            Thread.detachNewThread {
                continuation.resume(returning: Self.run(words, message, patience))
            }
        }
        try result.get()
    }

    private static func run(_ words: [String], _ message: [UInt8], _ patience: Duration) -> Result<Void, MailFailure> {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: words[0])
        process.arguments = Array(words.dropFirst()) + ["-t", "-i"]
        process.environment = ProcessInfo.processInfo.environment.filter { ["HOME", "LANG", "PATH", "TZ"].contains($0.key) }
        let (input, output) = (Pipe(), Pipe())
        (process.standardInput, process.standardOutput, process.standardError) = (input, output, output)
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        do {
            try process.run()
        } catch {
            return .failure(MailFailure("the program cannot be started: \(error.localizedDescription)"))
        }
        let said = Lock<[UInt8]>([])
        Thread.detachNewThread {
            while let part = try? output.fileHandleForReading.read(upToCount: 4_096), !part.isEmpty {
                said.withLock { $0 += part.prefix(Self.mostOutput - min($0.count, Self.mostOutput)) }
            }
        }
        Thread.detachNewThread {
            try? input.fileHandleForWriting.write(contentsOf: Data(message))
            try? input.fileHandleForWriting.close()
        }
        let seconds = Double(patience.components.seconds)
        if ended.wait(timeout: .now() + seconds) == .timedOut {
            process.terminate()
            if ended.wait(timeout: .now() + 2) == .timedOut { kill(process.processIdentifier, SIGKILL) }
            return .failure(MailFailure("the program took longer than \(patience.components.seconds) s"))
        }
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            let text = String(decoding: said.withLock { $0 }, as: UTF8.self)
            return .failure(MailFailure("the program ended with status \(process.terminationStatus): \(text)"))
        }
        return .success(())
    }
}
