import Keybearer
import KeybearerOutbound
import KeybearerServer

/// How mails go out.
struct MailOptions: Sendable {
    /// The program, with its arguments before `-t -i`; nil where no mails are sent.
    var command: [String]?
    /// The address that mails come from.
    var sender: EmailAddress?
    /// Where their links lead.
    var publicURL: PublicURL?

    /// Whether mails are sent: whether all that it takes is there.
    var isOn: Bool { command != nil && sender != nil && publicURL != nil }

    /// What mails are sent with.
    ///
    /// - Returns: nil where no mail program is set.
    /// - Throws: ``CommandFailure`` where a setting beside it is missing.
    func delivery(_ brand: Brand) throws -> MailDelivery? {
        guard let command else { return nil }
        guard let sender else { throw Self.missing(.mailFrom) }
        guard let publicURL else { throw Self.missing(.publicURL) }
        return MailDelivery(
            sender: MailSender(name: brand.productName.description, address: sender),
            composer: try MailTemplates(brand: brand, publicURL: publicURL),
            transport: MailProgram(words: command))
    }

    private static func missing(_ setting: Setting) -> CommandFailure {
        CommandFailure(
            .configuration,
            "setting \(setting.rawValue): got nothing from any place, wants \(setting.wants), beside "
                + Setting.mailCommand.rawValue)
    }
}

extension SettingReader {
    /// The settings of mails. What must be there beside the program is checked where mails are to be sent.
    ///
    /// - Parameter publicURL: the setting `public-url`.
    func mail(_ publicURL: PublicURL?) throws(SettingError) -> MailOptions {
        let command = try optional(.mailCommand) { text -> [String]? in
            let words = text.split(separator: " ").map(String.init)
            let isPlain = text.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 }
            return isPlain && words.first?.hasPrefix("/") == true ? words : nil
        }
        return MailOptions(
            command: command, sender: try optional(.mailFrom) { EmailAddress($0) }, publicURL: publicURL)
    }
}
