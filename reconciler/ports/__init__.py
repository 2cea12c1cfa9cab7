"""What passes between the service and its store: plain frozen values, and what is asked of either side.

One module for each stretch of a record's way, and two for those who ask about it (`operator`, `views`).
`store` takes and returns the values; intake, dispatch, the relay and the operator's layer make and read
them. No SQL and no Kafka type crosses this line.
"""
