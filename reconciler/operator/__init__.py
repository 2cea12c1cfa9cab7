"""What an operator can ask and do: the one layer under the command line and the console.

`desk.Operator` is the door; `ports.views` are what it gives. It reads through `ports.operator`,
decides with the same pure core as intake, and writes an audit entry for all that a person does.
"""
