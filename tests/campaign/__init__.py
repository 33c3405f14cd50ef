"""The fault campaign: causes every fault at every call, kills processes, and checks the invariants.

``python -m tests.campaign`` runs it and prints its table. pytest runs the same cases.

cases       the grid of faults, and why some combinations are left out
lane        where a case runs: an emulator, a database, a shop
gate        a TCP relay before the emulator, for faults of the network
journey     runs one case of the grid, from the first page until no call is owed
operations  reports the commits and calls of a process
points      the list of kills: before and after each commit and call
process     rokt-bff as a process that can be killed
kills       runs one kill, and the dry run that finds the commits and calls
till        the shop's requests in a case, and the amounts that were shown, locked and charged
facts       what is known after a case
verdict     the invariants, judged on those facts
runner      runs cases side by side, and lays out the table
breakages   breaks a line of the code, whose test must then fail; defences lists such lines
"""
