import CLibPQ
import Keybearer

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Statements go to the server in pipelines and their answers are awaited with a deadline.
extension PostgresConnection {
    /// Runs one statement: alone, or in the transaction that was begun.
    @discardableResult
    func execute(_ sql: String, _ parameters: [PostgresValue] = []) throws -> PostgresResult {
        try roundTrip([Statement(sql, parameters)])[0]
    }

    /// Runs a body in a transaction and commits it together with the last statements, in one round trip: between them
    /// no pause of this process can hold a lock that others wait for.
    ///
    /// - Returns: what the body answered, and the results of the last statements.
    func transaction<Value>(
        beginning begin: String = "BEGIN", _ body: (PostgresConnection) throws -> (Value, last: [Statement])
    ) throws -> (Value, last: [PostgresResult]) {
        pendingBegin = begin
        do {
            let (value, last) = try body(self)
            hasWarning = false
            let results = try roundTrip(last + [.commit])
            // "Cancelled the wait for synchronous replication": committed here, and perhaps nowhere else.
            if hasWarning { throw PostgresFailure(state: nil, message: "the commit was answered with a warning") }
            return (value, results.dropLast())
        } catch {
            rollBack()
            throw error
        }
    }

    private func rollBack() {
        if pendingBegin != nil {
            pendingBegin = nil
        } else if !isBroken, (try? roundTrip([Statement("ROLLBACK")])) == nil {
            isBroken = true
        }
    }

    /// Sends statements together and awaits their answers; the first that fails keeps those behind it from running.
    func roundTrip(_ wanted: [Statement]) throws -> [PostgresResult] {
        guard !isBroken else { throw PostgresFailure(state: nil, message: "the connection is gone") }
        let deadline = SteadyTime.systemNow().advanced(by: patience.roundTrip)
        let begin = pendingBegin.map { [Statement($0)] } ?? []
        pendingBegin = nil
        let isSingle = begin.isEmpty && PQtransactionStatus(pointer) == PQTRANS_IDLE
        var newlyPrepared: [String] = []
        do {
            try require(PQenterPipelineMode(pointer) == 1)
            let steps = try (begin + wanted).flatMap { try send($0, &newlyPrepared) }
            if isSingle || wanted.contains(where: \.isCommit) { mayHaveCommitted = true }
            try require(PQpipelineSync(pointer) == 1)
            try flush(until: deadline)
            let results = try receive(steps, until: deadline)
            try require(PQexitPipelineMode(pointer) == 1)
            return Array(results.dropFirst(begin.count))
        } catch {
            // Perhaps they were prepared and perhaps not: a new name next time is right either way.
            for sql in newlyPrepared { prepared[sql] = nil }
            if (error as? PostgresFailure)?.endsConnection ?? true { isBroken = true }
            throw error
        }
    }

    /// What an answer belongs to.
    private enum Step {
        case preparation
        /// Nil for what is not prepared.
        case statement(Prepared?)
    }

    /// Hands a statement to libpq, and what prepares it where this connection has not had it.
    private func send(_ statement: Statement, _ newlyPrepared: inout [String]) throws -> [Step] {
        if statement.isControl {
            try require(PQsendQueryParams(pointer, statement.sql, 0, nil, nil, nil, nil, 0) == 1)
            return [.statement(nil)]
        }
        if let known = prepared[statement.sql] {
            try sendPrepared(known.name, statement.parameters)
            return [.statement(known)]
        }
        namesGiven += 1
        let made = Prepared(name: "k\(namesGiven)")
        try require(PQsendPrepare(pointer, made.name, statement.sql, 0, nil) == 1)
        prepared[statement.sql] = made
        newlyPrepared.append(statement.sql)
        try sendPrepared(made.name, statement.parameters)
        return [.preparation, .statement(made)]
    }

    private func sendPrepared(_ name: String, _ parameters: [PostgresValue]) throws {
        // One buffer for all values, a zero byte behind each: libpq reads text up to it.
        var buffer: [UInt8] = []
        var offsets: [Int?] = []
        var lengths: [Int32] = []
        for parameter in parameters {
            let encoded = parameter.encoded
            offsets.append(encoded == nil ? nil : buffer.count)
            lengths.append(Int32(encoded?.count ?? 0))
            buffer += encoded ?? []
            buffer.append(0)
        }
        let formats: [Int32] = parameters.map { $0.isBinary ? 1 : 0 }
        let isSent = buffer.withUnsafeBytes { bytes in
            let values = offsets.map { offset in
                offset.flatMap { bytes.baseAddress?.advanced(by: $0).assumingMemoryBound(to: CChar.self) }
            }
            return PQsendQueryPrepared(pointer, name, Int32(parameters.count), values, lengths, formats, 0)
        }
        try require(isSent == 1)
    }

    /// Takes the answer of every step, then the end of the pipeline.
    ///
    /// - Throws: the first failure, when the pipeline has been read to its end and the connection can be used again.
    private func receive(_ steps: [Step], until deadline: SteadyTime) throws -> [PostgresResult] {
        var results: [PostgresResult] = []
        var failure: PostgresFailure?
        for step in steps {
            let result = try nextResult(until: deadline)
            switch result.status {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK:
                guard case .statement(let known) = step else { break }
                result.columns = known?.columns ?? result.columnIndexes()
                known?.columns = result.columns
                results.append(result)
            case PGRES_PIPELINE_ABORTED: break
            default: failure = failure ?? PostgresFailure(state: result.state, message: result.message)
            }
            if let failure, failure.endsConnection { throw failure }
            // The end of the step.
            try awaitResponse(until: deadline)
            if let unexpected = PQgetResult(pointer) { PQclear(unexpected) }
        }
        let end = try nextResult(until: deadline)
        if let failure {
            try require(PQexitPipelineMode(pointer) == 1)
            throw failure
        }
        try require(end.status == PGRES_PIPELINE_SYNC)
        return results
    }

    private func nextResult(until deadline: SteadyTime) throws -> PostgresResult {
        try awaitResponse(until: deadline)
        guard let result = PQgetResult(pointer) else {
            throw PostgresFailure(state: nil, message: "the connection was lost")
        }
        return PostgresResult(result)
    }

    /// Waits until a result can be taken without blocking.
    private func awaitResponse(until deadline: SteadyTime) throws {
        while PQisBusy(pointer) == 1 {
            try wait(for: Int16(POLLIN), until: deadline)
            try require(PQconsumeInput(pointer) == 1)
        }
    }

    /// Sends what libpq has gathered; takes in what arrives meanwhile, or both sides could wait for the other to read.
    private func flush(until deadline: SteadyTime) throws {
        while true {
            let rest = PQflush(pointer)
            try require(rest >= 0)
            if rest == 0 { return }
            try wait(for: Int16(POLLIN | POLLOUT), until: deadline)
            try require(PQconsumeInput(pointer) == 1)
        }
    }

    private func wait(for events: Int16, until deadline: SteadyTime) throws {
        let left = SteadyTime.systemNow().duration(to: deadline).wholeMilliseconds
        var descriptor = pollfd(fd: PQsocket(pointer), events: events, revents: 0)
        guard left > 0, descriptor.fd >= 0 else { throw PostgresFailure.timedOut }
        if poll(&descriptor, 1, Int32(min(left, 60_000))) < 0, errno != EINTR {
            throw PostgresFailure(state: nil, message: "the connection cannot be waited for")
        }
    }

    private func require(_ isDone: Bool) throws {
        guard isDone else { throw PostgresFailure(state: nil, message: "the connection was lost") }
    }
}

extension Statement {
    static let commit = Statement("COMMIT")

    static let savepoint = Statement("SAVEPOINT part")
    static let release = Statement("RELEASE SAVEPOINT part")
    static let rollBackToSavepoint = Statement("ROLLBACK TO SAVEPOINT part")

    var isCommit: Bool { sql == Self.commit.sql }

    /// Whether it moves a transaction rather than data: not to be prepared.
    var isControl: Bool {
        sql.hasPrefix("BEGIN") || sql.hasPrefix("LISTEN") || sql.hasPrefix("ROLLBACK")
            || sql.hasSuffix("SAVEPOINT part")
            || sql.hasPrefix("SAVEPOINT") || isCommit
    }
}
