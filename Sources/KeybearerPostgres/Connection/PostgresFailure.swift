import Keybearer
import KeybearerSQL

/// What PostgreSQL or libpq said, before it is told to anybody.
///
/// It carries the server's words, which name tables and columns, but neither the SQL nor its parameters nor the
/// connection string: they can hold a digest, a sealed key or a password.
struct PostgresFailure: Error, Sendable, CustomStringConvertible {
    /// The SQLSTATE; nil when the failure is one of the connection.
    let state: String?
    /// What was said.
    let message: String
    /// What it comes to, where that is known without the SQLSTATE.
    let problem: PostgresProblem?
    /// Whether an answer did not come in time, to a statement or to the attempt to connect.
    var isTimeOut = false

    init(state: String?, message: String, problem: PostgresProblem? = nil) {
        self.state = state
        self.message = message
        self.problem = problem
        isTimeOut = problem == .noResponse
    }

    /// No answer came within the patience of a connection.
    static var timedOut: PostgresFailure {
        var failure = PostgresFailure(state: nil, message: "no answer in time")
        failure.isTimeOut = true
        return failure
    }

    init(_ problem: PostgresProblem) {
        self.init(state: nil, message: "no connection", problem: problem)
    }

    var description: String { "PostgreSQL \(state.map { "error \($0)" } ?? "connection"): \(message)" }
}

extension PostgresFailure {
    /// Whether the connection can be used no longer, or leads to a server that can no longer be written to.
    var endsConnection: Bool {
        guard let state else { return true }
        // Gone, shut down, out of step after a restart, or a primary that has become a standby.
        return state.hasPrefix("08") || state.hasPrefix("57P") || ["25006", "25P03", "25P04"].contains(state)
    }

    /// A rule of the schema that refused a write; nil for everything else.
    var refusal: KeybearerError? {
        switch state {
        case "23505": KeybearerError(.conflict, "Something with the same name exists already.", cause: self)
        case "23503": KeybearerError(.notFound, "Something that this belongs to does not exist.", cause: self)
        default: nil
        }
    }

    /// The failure as the domain knows it.
    func translated(at place: PostgresPlace) -> KeybearerError {
        if state == "23514", message.contains(PostgresEngine.closingConstraint) { return MoveMark.lost }
        return refusal ?? KeybearerError(storeFailure(at: place))
    }

    private func storeFailure(at place: PostgresPlace) -> StoreFailure {
        if let problem { return problem.failure("cannot connect to", at: place) }
        let attempt = "cannot use"
        guard let state else {
            return StoreFailure(
                .unreachable, attempt, place.address, message,
                advice: "Check that the server runs and that the network to it is sound.")
        }
        var failure = PostgresProblem(state: state, message: message).failure(
            attempt, at: place, code: "SQLSTATE \(state)")
        failure.isLockConflict = ["40P01", "55P03"].contains(state)
        return failure
    }
}

/// Runs `body` and lets nothing but ``KeybearerError`` out.
func translatingErrors<Result>(at place: PostgresPlace, _ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let failure as PostgresFailure {
        throw failure.translated(at: place)
    } catch let failure as StoreFailure {
        throw KeybearerError(failure)
    } catch let error as KeybearerError {
        throw error
    } catch {
        throw KeybearerError(.internalError, "The store failed.", cause: error)
    }
}
