/// The example requests on the key's page, filled in for this server.
enum Examples {
    static func curl(apiURL: String, prefix: String) -> String {
        """
        curl -H "Authorization: Bearer \(prefix)YOUR_API_KEY" \\
          \(apiURL)/api/v1/me
        """
    }

    static func node(apiURL: String, prefix: String) -> String {
        """
        const res = await fetch('\(apiURL)/api/v1/me', {
          headers: { Authorization: 'Bearer \(prefix)YOUR_API_KEY' },
        });
        const result = await res.json();
        if (result.ok) {
          const { data } = result;
          console.log('User profile:', data);
        } else {
          console.error('Error:', result.error, result.message);
        }
        """
    }
}
