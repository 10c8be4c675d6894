import Keybearer

/// The page "Two-step sign-in": `GET /account/second-factor`, and the answers to its forms.
///
/// The form that turns it on sends `secret` and `code`; those for new recovery codes and for turning it off send `code`.
struct SecondFactorPage: Page, Equatable {
    static let template = Template.secondFactor

    /// What surrounds the page.
    let shell: DashboardShell
    /// How to set an app up; nil where one is.
    let setup: AppSetup?
    /// Recovery codes that were made just now; nil where none were.
    let newCodes: RecoveryCodeList?
    /// Since when it is on, where it is and no codes are shown.
    let status: SecondFactorStatus?
    /// What is wrong with the code.
    let codeError: String?

    /// It is off.
    init(shell: DashboardShell, setup: AppSetup, codeError: String? = nil) {
        self.init(shell, setup: setup, codeError: codeError)
    }

    /// It is on.
    init(shell: DashboardShell, status: SecondFactorStatus, codeError: String? = nil) {
        self.init(shell, status: status, codeError: codeError)
    }

    /// The codes that are shown once.
    init(shell: DashboardShell, codes: [RecoveryCode], isNew: Bool) {
        self.init(shell, newCodes: RecoveryCodeList(codes: codes.map(\.text), isNew: isNew))
    }

    private init(
        _ shell: DashboardShell, setup: AppSetup? = nil, newCodes: RecoveryCodeList? = nil,
        status: SecondFactorStatus? = nil, codeError: String? = nil
    ) {
        self.shell = shell
        self.setup = setup
        self.newCodes = newCodes
        self.status = status
        self.codeError = codeError
    }
}

/// What a person needs to set an app up: the secret as a picture and as text.
struct AppSetup: Sendable, Equatable {
    /// The secret, as the form sends it back.
    let secret: String
    /// The secret in groups of four, for people.
    let groups: String
    /// The picture's path; nil where the names are too long for a picture.
    let picture: String?
    /// One side of the picture, in modules.
    let pictureSize: Int

    /// - Parameters:
    ///   - issuer: what the app calls the service.
    ///   - account: what it calls the account.
    init(_ app: OneTimePassword, issuer: String, account: String) {
        secret = app.text
        groups = stride(from: 0, to: app.text.utf8.count, by: 4)
            .map { String(app.text.dropFirst($0).prefix(4)) }.joined(separator: " ")
        let code = QRCode(app.uri(issuer: issuer, account: account))
        picture = code?.pathData
        pictureSize = code?.pictureSize ?? 0
    }
}

/// Recovery codes as they are shown once.
struct RecoveryCodeList: Sendable, Equatable {
    let codes: [String]
    /// Whether two-step sign-in was turned on just now; else they replaced others.
    let isNew: Bool
}

/// What the pages say of an account's two-step sign-in.
struct SecondFactorStatus: Sendable, Equatable {
    /// Since when it is on.
    let since: PageTime
    /// How many recovery codes are left, in words.
    let codesLeft: String

    init(_ status: SecondFactorService.Status) {
        since = PageTime(status.since)
        codesLeft =
            switch status.codesLeft {
            case 0: "No recovery code is left."
            case 1: "One recovery code is left."
            default: "\(status.codesLeft) recovery codes are left."
            }
    }
}
