"""The API of filters, reports and appeals. Knows no withheld text: none of its answers holds one."""
