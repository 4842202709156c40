"""What a policy cannot do: sealed probes, its answers, people's labels of them, figures. Knows no other page."""
