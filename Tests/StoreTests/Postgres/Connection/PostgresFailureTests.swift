import Keybearer
import Testing

@testable import KeybearerPostgres

/// The ``StoreFailure`` that a ``PostgresFailure`` becomes, in the words of ``PostgresProblem``.
@Suite struct PostgresFailureTests {
    @Test func everyKindOfServerFailureHasItsWords() {
        let place = PostgresPlace("postgres://ada:topsecret@db.internal,db2.internal:5433/kb?sslmode=require")
        let wanted: [(state: String, kind: StoreFailure.Kind)] = [
            ("53100", .diskFull), ("53300", .tooManyConnections), ("57P03", .startingUp), ("25006", .readOnly),
            ("42501", .noPermission), ("3F000", .noPermission), ("42P01", .missingTable), ("55P03", .busy),
            ("40001", .busy), ("57014", .busy), ("58030", .diskError), ("XX001", .damaged), ("08006", .unreachable),
            ("22012", .unknown),
        ]
        for (state, kind) in wanted {
            let error = PostgresFailure(state: state, message: "the server's words").translated(at: place)
            #expect(error.storeFailure?.kind == kind, "\(state)")
            #expect(error.code == (kind == .unknown ? .internalError : .unavailable))
            let line = error.operatorMessage
            #expect(line.hasPrefix("cannot use postgres://ada@db.internal,db2.internal:5433/kb: "), "\(line)")
            #expect(!String(reflecting: error).contains("topsecret"))
        }
    }

    @Test(arguments: ["db.internal", "db.internal,db2.internal:5433"])
    func ofSeveralServersOneThatTakesNoWritesIsWaitedFor(_ hosts: String) {
        let place = PostgresPlace("postgres://ada:topsecret@\(hosts)/kb")
        let isOneOfSeveral = hosts.contains(",")
        for (state, isWaitedFor) in [("57P03", true), ("08006", true), ("25006", isOneOfSeveral), ("42501", false)] {
            let failure = PostgresFailure(state: state, message: "the server's words").translated(at: place)
            #expect(failure.storeFailure?.isOfStartingUp == isWaitedFor, "\(state)")
        }
    }

    @Test func aTimeOutIsKnownByNoText() {
        #expect(PostgresFailure.timedOut.isTimeOut && PostgresFailure(.noResponse).isTimeOut)
        #expect(!PostgresFailure(state: nil, message: PostgresFailure.timedOut.message).isTimeOut)
        #expect(!PostgresFailure(.closed).isTimeOut)
    }
}
