"""Small films of every kind whose pictures carry their number: what readers of video are measured on."""
