import Keybearer
import KeybearerServer

/// The settings that are networks and URLs: an error says which part is refused, and why.
extension SettingReader {
    /// A list of trusted networks in CIDR form, comma-separated. One that trusts everyone is refused.
    func networks(_ setting: Setting) throws(SettingError) -> [AddressRange] {
        let networks = try list(setting) { text throws in try AddressRange(parsing: text) }
        if let finding = TrustedListCheck.everyone(in: networks) {
            throw refusal(setting, sources.find(setting), because: "\(finding)")
        }
        return networks
    }

    /// Addresses of the product, comma-separated.
    func returnURLs(_ setting: Setting) throws(SettingError) -> [AllowedReturnURL] {
        try list(setting) { text throws in try AllowedReturnURL(parsing: text) }
    }

    /// Origins of pages that may show portal pages in a frame, comma-separated.
    func embedOrigins(_ setting: Setting) throws(SettingError) -> [Origin] {
        try list(setting) { text throws in try Origin(embedding: text) }
    }

    private func list<Entry>(
        _ setting: Setting, _ parse: (String) throws -> Entry
    ) throws(SettingError) -> [Entry] {
        let found = sources.find(setting)
        var entries: [Entry] = []
        let text = found?.value ?? setting.defaultValue ?? ""
        for part in text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false) {
            let entry = part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
            if entry.isEmpty { throw refusal(setting, found, because: "There is an empty entry") }
            do {
                entries.append(try parse(String(entry)))
            } catch {
                throw refusal(setting, found, because: "\(error)")
            }
        }
        return entries
    }

    /// `https://host[:port]`, with or without a path.
    func url(_ setting: Setting) throws(SettingError) -> PublicURL? {
        guard let found = sources.find(setting) else { return nil }
        do {
            return try PublicURL(parsing: found.value)
        } catch {
            throw refusal(setting, found, because: "\(error)")
        }
    }

    /// The same, for an address at which the server can be.
    func place(_ setting: Setting) throws(SettingError) -> PublicURL? {
        let url = try url(setting)
        if let problem = url?.problemAsPlace { throw refusal(setting, sources.find(setting), because: problem) }
        return url
    }
}
