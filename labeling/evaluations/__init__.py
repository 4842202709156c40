"""What a policy cannot do: probes, rules that sort its answers beforehand, figures by people's labels. Knows no row."""
