"""The demo workspace: a made-up company, Tideline, with everything in it marked as demo and removed by one command."""
