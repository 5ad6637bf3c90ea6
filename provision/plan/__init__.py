"""The plan: HostSpec x Facts -> Plan, with a reason for every decision. Pure."""
