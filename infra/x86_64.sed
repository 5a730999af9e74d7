# What package.sh x86_64 makes of template.yaml, in target/: paths in a template are relative to it.
s|CodeUri: target/lambda-arm64/|CodeUri: lambda-x86_64/|
s|Architectures: \[arm64\]|Architectures: [x86_64]|
